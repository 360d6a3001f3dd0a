// SPDX-License-Identifier: MIT
//
// @q is @d of CLOCKS clocks ago.
module delay #(
	parameter CLOCKS = 0
) (
	/* verilator lint_off UNUSEDSIGNAL */	// with CLOCKS = 0
	input  wire        clk,
	/* verilator lint_on UNUSEDSIGNAL */
	input  wire [31:0] d,
	output wire [31:0] q
);
	generate
		if (CLOCKS == 0) begin : wire_
			assign q = d;
		end else begin : chain
			reg [32*CLOCKS-1:0] r;

			if (CLOCKS == 1) begin : one
				always @(posedge clk)
					r <= d;
			end else begin : more
				always @(posedge clk)
					r <= {r[32*(CLOCKS-1)-1:0], d};
			end
			assign q = r[32*CLOCKS-1 -: 32];
		end
	endgenerate
endmodule
