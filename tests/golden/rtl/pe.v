// SPDX-License-Identifier: MIT
//
// One cell of the array: holds a stationary element, passes the moving element
// to the right and the partial sum, one product richer, down. A cell in a row past
// K hands the sum on untouched: adding 0 * 0 would make +0 of -0.
module pe (
	input  wire        clk,
	input  wire        load,	// take @weight
	input  wire        enable,	// the row takes part
	input  wire [31:0] weight,
	input  wire [31:0] x_in,
	input  wire [31:0] sum_in,
	output reg  [31:0] x_out,
	output reg  [31:0] sum_out
);
	reg  [31:0] stationary;
	wire [31:0] sum;

	fp32_fma fma (.a(stationary), .b(x_in), .c(sum_in), .d(sum));

	always @(posedge clk) begin
		if (load)
			stationary <= weight;
		x_out <= x_in;
		sum_out <= enable ? sum : sum_in;
	end
endmodule
