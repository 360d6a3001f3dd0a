// SPDX-License-Identifier: MIT
#include "sim_run.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firmware-sim/core/core.h"

/* The file comes from the compiler under test: structure is asserted, not defended against. */
struct image {
	const uint8_t *data;
	const Elf64_Ehdr *eh;
	const Elf64_Shdr *sh;
	const uint8_t *meta;
	const struct ncx_meta *head;
	const struct ncx_entry *entry;
	const struct ncx_tensor *tensor;
	const char *strings;
	const struct ncx_note *note;
	const uint8_t *weights;
	uint64_t weights_size;
};

static int fail(struct sim_run *run, const char *what)
{
	snprintf(run->error, sizeof(run->error), "%s", what);
	return -1;
}

static int open_image(const uint8_t *data, size_t size, struct image *im, struct sim_run *run)
{
	const char *names;

	memset(im, 0, sizeof(*im));
	im->data = data;
	im->eh = (const Elf64_Ehdr *)data;
	if (size < sizeof(*im->eh) || memcmp(data, ELFMAG, 4) || im->eh->e_machine != NCX_EM_NCA ||
	    im->eh->e_type != ET_EXEC ||
	    im->eh->e_shoff + im->eh->e_shnum * sizeof(Elf64_Shdr) > size)
		return fail(run, "not a program file");
	im->sh = (const Elf64_Shdr *)(data + im->eh->e_shoff);
	names = (const char *)data + im->sh[im->eh->e_shstrndx].sh_offset;
	for (int i = 1; i < im->eh->e_shnum; i++) {
		const char *name = names + im->sh[i].sh_name;
		const uint8_t *at = data + im->sh[i].sh_offset;

		if (im->sh[i].sh_offset + im->sh[i].sh_size > size)
			return fail(run, "a section is past the end of the file");
		if (!strcmp(name, NCX_SECTION_META))
			im->meta = at;
		if (!strcmp(name, NCX_SECTION_STRTAB))
			im->strings = (const char *)at;
		if (!strcmp(name, ".note.nca"))
			im->note = (const struct ncx_note *)(at + 16);
		if (!strcmp(name, NCX_SECTION_WEIGHTS)) {
			im->weights = at;
			im->weights_size = im->sh[i].sh_size;
			if (im->sh[i].sh_offset % 4096 || im->sh[i].sh_addr % 4096)
				return fail(run, "weights are not on a page");
		}
	}
	if (!im->meta || !im->strings || !im->note || !im->weights)
		return fail(run, "a section is missing");
	im->head = (const struct ncx_meta *)im->meta;
	im->entry = (const struct ncx_entry *)(im->meta + im->head->entry_offset);
	im->tensor = (const struct ncx_tensor *)(im->meta + im->head->tensor_offset);
	return 0;
}

static uint32_t type_bytes(uint32_t type)
{
	switch (type) {
	case NCX_T_INT8:
	case NCX_T_UINT8:
	case NCX_T_BOOL:
		return 1;
	case NCX_T_BF16:
	case NCX_T_FP16:
	case NCX_T_INT16:
	case NCX_T_UINT16:
		return 2;
	case NCX_T_INT64:
	case NCX_T_UINT64:
	case NCX_T_FP64:
		return 8;
	default:
		return 4;
	}
}

static void describe(const struct image *im, const struct ncx_tensor *t, struct sim_tensor *out)
{
	snprintf(out->name, sizeof(out->name), "%s", im->strings + t->name);
	out->type = t->type;
	out->bytes = t->size;
	out->elements = t->size / type_bytes(t->type);
}

int sim_inspect(const uint8_t *ncx, size_t size, struct sim_run *run)
{
	struct image im;

	memset(run, 0, sizeof(*run));
	if (open_image(ncx, size, &im, run))
		return -1;
	run->num_in = im.entry->inputs;
	run->num_out = im.entry->outputs;
	run->est_ticks = im.entry->est_ticks;
	if (run->num_in > SIM_MAX_TENSORS || run->num_out > SIM_MAX_TENSORS)
		return fail(run, "too many tensors for this test");
	for (uint32_t i = 0; i < run->num_in; i++)
		describe(&im, &im.tensor[im.entry->first_input + i], &run->in[i]);
	for (uint32_t i = 0; i < run->num_out; i++)
		describe(&im, &im.tensor[im.entry->first_output + i], &run->out[i]);
	return 0;
}

struct slots {
	uint32_t num;
	struct {
		uint8_t *data;
		uint64_t size;
		bool writable;
	} slot[2 + 2 * SIM_MAX_TENSORS];
};

static void *translate(void *opaque, uint32_t slot, uint64_t offset, uint64_t len, bool write,
		       uint64_t *avail, bool *dev_mem)
{
	struct slots *s = opaque;

	if (slot >= s->num || offset > s->slot[slot].size || len > s->slot[slot].size - offset ||
	    (write && !s->slot[slot].writable))
		return NULL;
	*avail = s->slot[slot].size - offset;
	*dev_mem = slot < 2;
	return s->slot[slot].data + offset;
}

static struct core_program *load_program(const struct image *im, const struct nca_target *t,
					 uint32_t slots, struct sim_run *run)
{
	const struct ncx_text *text = (const struct ncx_text *)(im->meta + im->head->text_offset);
	struct nca_program_header h = { .magic = NCA_PROGRAM_MAGIC,
					.version = NCA_ISA_VERSION,
					.target = t->id,
					.slots = slots,
					.sbuf_live = im->entry->sbuf_live,
					.psum_live = im->entry->psum_live };
	const struct nca_inst *inst[NCA_ENGINES] = { NULL };
	struct core_program *prog = NULL;
	struct core_fault fault = { .text = "?" };

	for (uint32_t i = 0; i < im->head->texts; i++) {
		h.stream[text[i].engine].count = (uint32_t)text[i].count;
		inst[text[i].engine] =
			(const struct nca_inst *)(im->data + im->sh[text[i].section].sh_offset);
	}
	if (core_program_create(t, &h, inst, &prog, &fault))
		fail(run, fault.text);
	return prog;
}

static int run_core(const struct nca_target *t, struct core_program *prog, struct slots *slots,
		    struct sim_run *run)
{
	struct core_launch launch = { .prog = prog,
				      .memory = { .opaque = slots, .translate = translate },
				      .bw_slices = t->slices_per_core,
				      .dma_engines = t->dma_engines,
				      .timed_only = run->timed,
				      .check = !run->timed };
	struct core_fault fault = { .text = "?" };
	struct core_state *state = NULL;
	struct core *core = NULL;
	uint64_t now = 0;
	bool stop = false;
	int ret = -1;

	if (core_create(t, CORE_SIMD_AUTO, &core))
		return fail(run, "no core");
	if (core_launch_begin(core, &launch, &state)) {
		fail(run, "the launch does not begin");
	} else {
		if (core_run(core, state, UINT64_MAX, &stop, &now, &fault) == CORE_DONE)
			ret = 0;
		else
			fail(run, fault.text);
		core_launch_report(state, &run->report);
		core_launch_end(core, state);
	}
	core_destroy(core);
	if (!ret && run->report.ticks != run->est_ticks) {
		snprintf(run->error, sizeof(run->error),
			 "the compiler said %llu ticks, the launch took %llu",
			 (unsigned long long)run->est_ticks,
			 (unsigned long long)run->report.ticks);
		return -1;
	}
	return ret;
}

int sim_launch(const uint8_t *ncx, size_t size, struct sim_run *run)
{
	const struct nca_target *t;
	struct core_program *prog;
	struct slots slots = { 0 };
	struct image im;
	uint8_t *scratch;
	int ret;

	if (open_image(ncx, size, &im, run))
		return -1;
	t = nca_target_by_id(im.note->target);
	if (!t)
		return fail(run, "unknown target");
	slots.num = 2 + run->num_in + run->num_out;
	prog = load_program(&im, t, slots.num, run);
	if (!prog)
		return -1;
	/* Garbage where the program has not written yet, so that reading it shows. */
	scratch = malloc(im.entry->scratch_size + 64);
	memset(scratch, 0x7f, im.entry->scratch_size + 64);
	slots.slot[0].data = (uint8_t *)(uintptr_t)im.weights;
	slots.slot[0].size = im.weights_size;
	slots.slot[1].data = scratch;
	slots.slot[1].size = im.entry->scratch_size;
	slots.slot[1].writable = true;
	for (uint32_t i = 0; i < run->num_in; i++) {
		slots.slot[2 + i].data = run->in[i].data;
		slots.slot[2 + i].size = run->in[i].bytes;
	}
	for (uint32_t i = 0; i < run->num_out; i++) {
		run->out[i].data = malloc(run->out[i].bytes + 4);
		memset(run->out[i].data, 0x7f, run->out[i].bytes);
		slots.slot[2 + run->num_in + i].data = run->out[i].data;
		slots.slot[2 + run->num_in + i].size = run->out[i].bytes;
		slots.slot[2 + run->num_in + i].writable = true;
	}
	ret = run_core(t, prog, &slots, run);
	core_program_destroy(prog);
	free(scratch);
	return ret;
}

void sim_free(struct sim_run *run)
{
	for (uint32_t i = 0; i < run->num_out; i++)
		free(run->out[i].data);
}
