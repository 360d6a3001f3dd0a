// SPDX-License-Identifier: MIT
//
// What a result column meets at the accumulators: it replaces what is there, or
// is added to it with one more rounding, one clock later. x + y is fma(1, x, y).
module psum_add #(
	parameter COLS = 8
) (
	input  wire               clk,
	input  wire               accumulate,
	input  wire [32*COLS-1:0] old,
	input  wire [32*COLS-1:0] y,
	output reg  [32*COLS-1:0] result
);
	genvar m;

	generate
		for (m = 0; m < COLS; m = m + 1) begin : col
			wire [31:0] sum;

			fp32_fma add (.a(32'h3f800000), .b(old[32*m +: 32]), .c(y[32*m +: 32]), .d(sum));
			always @(posedge clk)
				result[32*m +: 32] <= accumulate ? sum : y[32*m +: 32];
		end
	endgenerate
endmodule
