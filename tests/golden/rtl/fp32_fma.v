// SPDX-License-Identifier: MIT
//
// d = a * b + c in FP32, rounded once, to nearest even. Denormals are kept on
// all sides; a NaN result is the canonical one, 0x7fc00000. Combinational.
module fp32_fma (
	input  wire [31:0] a,
	input  wire [31:0] b,
	input  wire [31:0] c,
	output reg  [31:0] d
);
	/* verilator no_inline_module */	// one function for all instances

	localparam [31:0] NAN = 32'h7fc00000;

	// Position of the leading one of a 24-bit significand, counted from the top.
	function automatic [4:0] lead24(input [23:0] m);
		integer i;
		begin
			lead24 = 5'd24;
			for (i = 0; i < 24; i = i + 1)
				if (m[i])
					lead24 = 5'd23 - i[4:0];
		end
	endfunction

	function automatic [6:0] lead100(input [99:0] m);
		integer i;
		begin
			lead100 = 7'd100;
			for (i = 0; i < 100; i = i + 1)
				if (m[i])
					lead100 = 7'd99 - i[6:0];
		end
	endfunction

	// Significand with its leading one at the top, exponent of that one.
	reg [23:0] ma, mb, mc;
	reg signed [11:0] ea, eb, ec;
	reg [4:0] la, lb, lc;
	reg sp, sc;
	reg a_nan, b_nan, c_nan, a_inf, b_inf, c_inf, a_zero, b_zero, c_zero;

	always @* begin
		a_nan = &a[30:23] & |a[22:0];
		b_nan = &b[30:23] & |b[22:0];
		c_nan = &c[30:23] & |c[22:0];
		a_inf = &a[30:23] & ~|a[22:0];
		b_inf = &b[30:23] & ~|b[22:0];
		c_inf = &c[30:23] & ~|c[22:0];
		a_zero = ~|a[30:0];
		b_zero = ~|b[30:0];
		c_zero = ~|c[30:0];
		sp = a[31] ^ b[31];
		sc = c[31];

		ma = {|a[30:23], a[22:0]};
		mb = {|b[30:23], b[22:0]};
		mc = {|c[30:23], c[22:0]};
		la = lead24(ma);
		lb = lead24(mb);
		lc = lead24(mc);
		// A denormal has the exponent of the smallest normal number.
		ea = $signed({4'b0, a[30:23]}) + $signed({11'b0, ~|a[30:23]}) - 12'sd127 -
		     $signed({7'b0, la});
		eb = $signed({4'b0, b[30:23]}) + $signed({11'b0, ~|b[30:23]}) - 12'sd127 -
		     $signed({7'b0, lb});
		ec = $signed({4'b0, c[30:23]}) + $signed({11'b0, ~|c[30:23]}) - 12'sd127 -
		     $signed({7'b0, lc});
		ma = ma << la;
		mb = mb << lb;
		mc = mc << lc;
	end

	// The product is exact: 48 bits, leading one at the top again.
	reg [47:0] mp;
	reg signed [11:0] ep;
	always @* begin
		mp = ma * mb;
		ep = ea + eb + 12'sd1;
		if (!mp[47]) begin
			mp = mp << 1;
			ep = ep - 12'sd1;
		end
	end

	// The smaller addend is shifted to the larger one. 51 bits stay below the
	// larger one; what leaves them is one sticky bit, which is far enough
	// from the rounding position even after the one bit that a subtraction
	// of such distant numbers can cancel.
	reg p_large, s_large, s_small, sticky, subtract;
	reg signed [11:0] e_large, distance;
	reg [47:0] m_large, m_small;
	reg [99:0] x_large, x_small, kept, sum;
	always @* begin
		if (a_zero | b_zero)
			p_large = 1'b0;
		else if (c_zero)
			p_large = 1'b1;
		else if (ep != ec)
			p_large = ep > ec;
		else
			p_large = mp >= {mc, 24'b0};
		e_large = p_large ? ep : ec;
		m_large = p_large ? mp : {mc, 24'b0};
		s_large = p_large ? sp : sc;
		m_small = p_large ? {mc, 24'b0} : mp;
		s_small = p_large ? sc : sp;
		distance = p_large ? ep - ec : ec - ep;
		if (a_zero | b_zero | c_zero)	// nothing to add: an exponent of zero means nothing
			m_small = 48'b0;
		subtract = s_large ^ s_small;

		x_large = {1'b0, m_large, 51'b0};
		x_small = {1'b0, m_small, 51'b0};
		if (a_zero | b_zero | c_zero) begin
			kept = 100'b0;
			sticky = 1'b0;
		end else if (distance > 12'sd99) begin
			kept = 100'b0;
			sticky = 1'b1;
		end else begin
			kept = x_small >> distance[6:0];
			sticky = (kept << distance[6:0]) != x_small;
		end
		kept[0] = kept[0] | sticky;
		sum = subtract ? x_large - kept : x_large + kept;
	end

	// Leading one to the top; below the normal range the exponent stays at its
	// lowest and the significand moves down instead.
	reg [6:0] ls;
	reg signed [11:0] e, deep;
	reg [7:0] biased;
	reg [99:0] norm, low;
	reg lost, round_up;
	reg [31:0] rounded;
	always @* begin
		ls = lead100(sum);
		e = e_large + 12'sd1 - $signed({5'b0, ls});
		norm = sum << ls;
		deep = -12'sd126 - e;
		biased = e[7:0] + 8'd127;
		lost = 1'b0;
		low = norm;
		if (deep > 12'sd0) begin
			if (deep > 12'sd99) begin
				low = 100'b0;
				lost = |norm;
			end else begin
				low = norm >> deep[6:0];
				lost = (low << deep[6:0]) != norm;
			end
		end
		round_up = low[75] & (|low[74:0] | lost | low[76]);
		// A carry out of the significand is a step of the exponent field.
		if (deep > 12'sd0)
			rounded = {s_large, 7'b0, low[99:76]} + {31'b0, round_up};
		else if (e > 12'sd127)
			rounded = {s_large, 8'hff, 23'b0};
		else
			rounded = {s_large, biased[7:0], low[98:76]} + {31'b0, round_up};
	end

	always @* begin
		if (a_nan | b_nan | c_nan | (a_inf & b_zero) | (b_inf & a_zero) |
		    ((a_inf | b_inf) & c_inf & (sp ^ sc)))
			d = NAN;
		else if (a_inf | b_inf)
			d = {sp, 8'hff, 23'b0};
		else if (c_inf)
			d = c;
		else if ((a_zero | b_zero) & c_zero)
			d = {sp & sc, 31'b0};
		else if (sum == 100'b0)		// exact cancellation
			d = 32'b0;
		else
			d = rounded;
	end
endmodule
