/* SPDX-License-Identifier: MIT */
/*
 * ncasim: the NCA device as a library (libncasim.a).
 *
 * The one narrow header between the simulated device and whoever plays the
 * bus: libaccel's embedded backend (same process) and accel-sim (vfio-user).
 * What passes through it is what passes over PCI: registers, doorbell memory,
 * kicks, DMA, interrupts. Nothing here knows about graphs or ioctls.
 *
 * Threads: every function may be called from any thread unless it says
 * otherwise. Host callbacks run on device threads and must not call back into
 * ncasim except ncasim_kick().
 */
#ifndef NCASIM_H
#define NCASIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ncasim;

enum ncasim_simd { NCASIM_SIMD_AUTO, NCASIM_SIMD_SCALAR, NCASIM_SIMD_AVX2, NCASIM_SIMD_AVX512 };
enum ncasim_pace { NCASIM_PACE_FREE, NCASIM_PACE_REAL };

struct ncasim_config {
	size_t size;			/* sizeof(struct ncasim_config) */
	const char *target;		/* "nca1" (default when NULL), "nca2" */
	unsigned int threads;		/* core worker threads, 0 = 1 per online CPU, at most one per core */
	enum ncasim_simd simd;
	enum ncasim_pace pace;
	bool timed_only;		/* no arithmetic at all */
	bool check;			/* every launch in checking mode */
	unsigned int quantum_us;	/* arbiter quantum in device time, 0 = 4000 */
	unsigned int spin_us;		/* how long an idle device polls before it sleeps, 0 = default (50) */
	const char *trace_path;		/* Perfetto JSON, NULL = none */
	unsigned int fault_log;		/* entries kept, 0 = 256 */
	const char *serial;		/* NULL = "SIM0" */
	/*
	 * Device memory that no other process maps: ncasim_devmem() has no descriptor (-1), and
	 * the kernel may use huge pages, which it mostly does not for a memfd.
	 */
	bool private_memory;
};

/*
 * Parse "[target][,key=value...]" (keys: threads, simd=auto|avx512|avx2|scalar,
 * pace=free|real, mode=full|timed, check=0|1, quantum_us, spin_us, trace=PATH).
 * @cfg is filled with defaults first. Strings point into an allocation that
 * ncasim_config_fini() frees. Returns 0 or -EINVAL with a sentence in @err.
 */
int ncasim_config_parse(struct ncasim_config *cfg, const char *text, char *err, size_t err_len);
void ncasim_config_fini(struct ncasim_config *cfg);

struct ncasim_host_ops {
	/* MSI-X vector @vector fires (masking is the caller's business). */
	void (*irq)(void *opaque, unsigned int vector);
};

/* Returns 0 or a negative errno, with a sentence in @err (may be NULL). */
int ncasim_create(const struct ncasim_config *cfg, const struct ncasim_host_ops *ops, void *opaque,
		  struct ncasim **out, char *err, size_t err_len);

/* Stops every device thread, frees everything. DMA regions are only forgotten. */
void ncasim_destroy(struct ncasim *dev);

/* ---- BAR0, 1/2/4/8 byte accesses; odd sizes or offsets past the end read 0 --- */
uint64_t ncasim_reg_read(struct ncasim *dev, uint32_t offset, unsigned int size);
void ncasim_reg_write(struct ncasim *dev, uint32_t offset, uint64_t value, unsigned int size);

/*
 * BAR2: the lower half is plain shared memory (memfd) the device polls, mapped
 * here; kicks arrive through ncasim_kick(), never as memory.
 */
void *ncasim_doorbells(struct ncasim *dev, size_t *len, int *fd);
uint32_t ncasim_kick_offset(struct ncasim *dev);	/* in BAR2; BAR2 size is twice this */
void ncasim_kick(struct ncasim *dev, uint32_t queue);	/* async-signal-safe, at most one futex wake */

/* BAR4: device memory, a sparse memfd unless ncasim_config.private_memory; then @fd is -1. */
void *ncasim_devmem(struct ncasim *dev, uint64_t *len, int *fd);

/* ---- DMA: which bus addresses reach which host memory ------------------------ */
#define NCASIM_DMA_READ		1u
#define NCASIM_DMA_WRITE	2u

/* @iova..+len becomes reachable at @ptr. @ptr == NULL: known but unreachable. -EEXIST on overlap. */
int ncasim_dma_map(struct ncasim *dev, uint64_t iova, void *ptr, uint64_t len, unsigned int prot);

/* Returns only when no engine uses the range any more. -ENOENT if it is no mapped range. */
int ncasim_dma_unmap(struct ncasim *dev, uint64_t iova, uint64_t len);

/*
 * PCI Command register bus-master bit, off after creation and after RETURN; off: no DMA and no
 * interrupts start, rings stand still. Waits for running DMA. A reset leaves it alone: the bus
 * transport owns the Command register.
 */
void ncasim_set_bus_master(struct ncasim *dev, bool on);

/* Function-level reset: as a write of RESET, complete on return. */
void ncasim_reset(struct ncasim *dev);

/* ---- what a bench engineer does to a device ----------------------------------- */
enum ncasim_fault { NCASIM_VANISH, NCASIM_RETURN, NCASIM_HANG, NCASIM_UNHANG };

/*
 * VANISH: registers read all-ones, no DMA, no interrupts, work is dropped.
 * RETURN: the function is back, as after power-on. HANG: registers answer,
 * heartbeat and all work stand still; only reset (or UNHANG) helps.
 */
void ncasim_inject(struct ncasim *dev, enum ncasim_fault what);

bool ncasim_vanished(struct ncasim *dev);

struct ncasim_telemetry {
	uint64_t time_ns, commands, launches, faults, interrupts, kicks, sleeps;
	uint64_t unkicked;		/* sleeps in which the heartbeat found work and no kick had come */
	uint64_t bad_bus_accesses;	/* DMA to unmapped or unreachable bus addresses */
	uint64_t instructions[6];	/* per engine, enum nca_engine; [5] = DMA descriptors */
	uint64_t devmem_bytes, host_bytes;
	uint64_t core_busy_ns[8];
	uint32_t contexts, queues, cores;
	const char *simd;		/* path in use: "scalar", "avx2", "avx512" */
};
void ncasim_telemetry(struct ncasim *dev, struct ncasim_telemetry *out);

#ifdef __cplusplus
}
#endif

#endif
