// SPDX-License-Identifier: MIT
//
// Weight-stationary systolic array of ROWS x COLS cells. Row k of the moving
// operand enters k clocks after row 0, so that a partial sum meets its products in
// ascending k, as the data sheet fixes; column m leaves m clocks after column 0.
// Both skews are inside: a column of the moving operand given in one clock comes
// out as a column of results in one clock, LATENCY clocks later.
module systolic #(
	parameter ROWS = 8,
	parameter COLS = 8
) (
	input  wire                 clk,
	input  wire                 load,
	input  wire [ROWS-1:0]      enable,	// rows below K
	input  wire [32*ROWS*COLS-1:0] weights,	// [k][m]
	input  wire                 valid_in,
	input  wire [32*ROWS-1:0]   x,		// [k]
	output wire                 valid_out,
	output wire [32*COLS-1:0]   y		// [m]
);
	localparam LATENCY = ROWS + COLS - 1;

	wire [31:0] across [0:ROWS-1][0:COLS];
	wire [31:0] down [0:ROWS][0:COLS-1];
	reg  [LATENCY-1:0] valid;
	genvar k, m;

	always @(posedge clk)
		valid <= {valid[LATENCY-2:0], valid_in};
	assign valid_out = valid[LATENCY-1];

	generate
		for (k = 0; k < ROWS; k = k + 1) begin : row
			delay #(.CLOCKS(k)) skew (.clk(clk), .d(x[32*k +: 32]), .q(across[k][0]));
			for (m = 0; m < COLS; m = m + 1) begin : col
				pe cell_ (
					.clk(clk), .load(load), .enable(enable[k]),
					.weight(weights[32*(k*COLS + m) +: 32]),
					.x_in(across[k][m]), .x_out(across[k][m+1]),
					.sum_in(down[k][m]), .sum_out(down[k+1][m])
				);
			end
		end
		for (m = 0; m < COLS; m = m + 1) begin : edge_
			assign down[0][m] = 32'b0;	// every sum starts at +0
			delay #(.CLOCKS(COLS - 1 - m)) skew (
				.clk(clk), .d(down[ROWS][m]), .q(y[32*m +: 32])
			);
		end
	endgenerate
endmodule
