// SPDX-License-Identifier: MIT
//
// Test bench of the array against vectors of the golden model.
//
// +fma=N        N random triples through one multiply-adder
// +vectors=FILE LDSTAT and MATMUL cases: instructions are decoded here, operands
//               fetched along their access patterns, multiplied by the array, and the
//               results compared, in every bit, with what the file expects
module tb #(
	parameter ROWS = 8,
	parameter COLS = 8
);
	localparam FP32 = 0, BF16 = 1;
	localparam OP_HALT = 1, OP_LDSTAT = 'h20, OP_MATMUL = 'h21;
	localparam F_ACCUMULATE = 1;

	import "DPI-C" function int fma_next(output int a, output int b, output int c, output int want);
	import "DPI-C" function int vec_open(input string path);
	import "DPI-C" function int vec_next();
	import "DPI-C" function int vec_insts();
	import "DPI-C" function int vec_inst_word(input int inst, input int word);
	import "DPI-C" function int vec_read(input int mem, input int part, input int offset,
					     input int bytes);
	import "DPI-C" function void vec_write(input int mem, input int part, input int offset,
					       input int value);
	import "DPI-C" function int vec_check();
	import "DPI-C" function int vec_report();
	import "DPI-C" function void bench_exit(input int code);
	import "DPI-C" function void vec_refuse(input string why, input int value);

	reg clk = 0;
	reg load = 0, valid_in = 0, accumulate = 0;
	reg [ROWS-1:0] enable = 0;
	reg [32*ROWS*COLS-1:0] weights = 0;
	reg [32*ROWS-1:0] x = 0;
	reg [32*COLS-1:0] old = 0;
	wire valid_out;
	wire [32*COLS-1:0] y, result;

	systolic #(.ROWS(ROWS), .COLS(COLS)) array (
		.clk(clk), .load(load), .enable(enable), .weights(weights),
		.valid_in(valid_in), .x(x), .valid_out(valid_out), .y(y)
	);
	psum_add #(.COLS(COLS)) adders (.clk(clk), .accumulate(accumulate), .old(old), .y(y), .result(result));

	reg [31:0] fa = 0, fb = 0, fc = 0;
	wire [31:0] fd;
	fp32_fma single (.a(fa), .b(fb), .c(fc), .d(fd));

	// ---- an instruction's operand ------------------------------------------------
	typedef struct packed {
		int mem, dtype, part, nparts, offset, elems;
		logic [3:0][31:0] size, stride;
	} operand;

	function automatic int half(input int inst, input int word, input int upper);
		int w = vec_inst_word(inst, word);

		return upper != 0 ? int'(w[31:16]) : int'(w[15:0]);
	endfunction

	function automatic operand decode(input int inst, input int word);
		operand o;
		int w = vec_inst_word(inst, word);

		o.mem = int'(w[7:0]);
		o.dtype = int'(w[15:8]);
		o.part = int'(w[23:16]);
		o.nparts = int'(w[31:24]);
		o.offset = vec_inst_word(inst, word + 1);
		o.elems = 1;
		for (int d = 0; d < 4; d++) begin
			int stride = half(inst, word + 4 + d / 2, d % 2);

			o.size[d] = half(inst, word + 2 + d / 2, d % 2);
			o.stride[d] = stride >= 32768 ? stride - 65536 : stride;
			o.elems *= int'(o.size[d]);
		end
		if (o.offset >>> 24 != 0)
			vec_refuse("an address in a register", o.offset);
		if (o.dtype != FP32 && o.dtype != BF16)
			vec_refuse("a data type that is neither FP32 nor BF16", o.dtype);
		return o;
	endfunction

	/* verilator lint_off UNUSEDSIGNAL */	// of the operand, each uses what it needs
	function automatic int address(input operand o, input int element);
		int left = element, sum = 0;

		for (int d = 3; d >= 0; d--) begin
			sum += (left % int'(o.size[d])) * int'(o.stride[d]);
			left /= int'(o.size[d]);
		end
		return o.offset + sum * (o.dtype == FP32 ? 4 : 2);
	endfunction

	// Widened to FP32.
	function automatic int fetch(input operand o, input int part, input int element);
		int v = vec_read(o.mem, o.part + part, address(o, element), o.dtype == FP32 ? 4 : 2);

		return o.dtype == FP32 ? v : v << 16;
	endfunction

	/* verilator lint_on UNUSEDSIGNAL */

	task automatic tick;
		#1 clk = 1;
		#1 clk = 0;
	endtask

	// ---- instructions ----------------------------------------------------------------
	int k_loaded, m_loaded;

	task automatic ldstat(input int inst);
		operand s = decode(inst, 14);
		reg [32*ROWS*COLS-1:0] tile;
		reg [ROWS-1:0] rows;

		if ((vec_inst_word(inst, 0) >> 8 & 'hff) != 0)
			vec_refuse("a tile of TF32 or integers", inst);
		if (s.nparts > ROWS || s.elems > COLS)
			vec_refuse("a stationary tile larger than the array", s.nparts);
		tile = 0;
		for (int k = 0; k < s.nparts; k++)
			for (int m = 0; m < s.elems; m++)
				tile[32*(k*COLS + m) +: 32] = fetch(s, k, m);
		weights = tile;
		k_loaded = s.nparts;
		m_loaded = s.elems;
		for (int k = 0; k < ROWS; k++)
			rows[k] = k < k_loaded;
		enable = rows;
		load = 1;
		tick;
		load = 0;
	endtask

	task automatic matmul(input int inst);
		operand dst = decode(inst, 8), src = decode(inst, 14);
		int head = vec_inst_word(inst, 0);
		int sent = 0, stored = 0;
		reg adding = 0;
		// Signals are driven whole: Verilator 5.006 misses writes to parts from a task.
		reg [32*ROWS-1:0] column;
		reg [32*COLS-1:0] there;

		if (src.nparts != k_loaded || dst.nparts != m_loaded || dst.dtype != FP32)
			vec_refuse("a matmul that does not fit the tile", src.nparts);
		if ((head >> 8 & 'hff & ~F_ACCUMULATE) != 0)
			vec_refuse("flags other than ACCUMULATE", head);
		accumulate = (head >> 8 & F_ACCUMULATE) != 0;
		while (stored < dst.elems) begin
			valid_in = sent < src.elems;
			column = 0;
			for (int k = 0; k < k_loaded && sent < src.elems; k++)
				column[32*k +: 32] = fetch(src, k, sent);
			x = column;
			sent++;
			tick;
			// One column at a time: the next one reads what this one has written.
			if (adding) begin
				for (int m = 0; m < m_loaded; m++)
					vec_write(dst.mem, dst.part + m, address(dst, stored),
						  result[32*m +: 32]);
				stored++;
			end
			adding = valid_out;
			there = 0;
			for (int m = 0; m < m_loaded && adding; m++)
				there[32*m +: 32] = vec_read(dst.mem, dst.part + m, address(dst, stored), 4);
			old = there;
		end
		valid_in = 0;
	endtask

	task automatic run_case;
		for (int i = 0; i < vec_insts(); i++) begin
			int opcode = vec_inst_word(i, 0) & 'hff;

			case (opcode)
			OP_LDSTAT: ldstat(i);
			OP_MATMUL: matmul(i);
			OP_HALT: ;
			default: vec_refuse("an opcode other than LDSTAT and MATMUL", opcode);
			endcase
		end
	endtask

	// ---- what is run ------------------------------------------------------------------
	string path;
	int triples, want, bad, failed;

	initial begin
		failed = 0;
		if ($value$plusargs("fma=%d", triples)) begin
			bad = 0;
			for (int i = 0; i < triples; i++) begin
				void'(fma_next(fa, fb, fc, want));
				#1;
				if (fd != want) begin
					if (bad < 10)
						$display("fma %08x * %08x + %08x: %08x, expected %08x", fa, fb, fc,
							 fd, want);
					bad++;
				end
			end
			$display("fma: %0d triples, %0d do not match", triples, bad);
			failed |= bad;
		end
		if ($value$plusargs("vectors=%s", path)) begin
			if (vec_open(path) != 0)
				failed = 1;
			else begin
				while (vec_next() == 1) begin
					run_case;
					bad = vec_check();
				end
				failed |= vec_report();
			end
		end
		if (failed != 0)
			bench_exit(8);
		$finish;
	end
endmodule
