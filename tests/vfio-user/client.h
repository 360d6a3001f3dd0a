/* SPDX-License-Identifier: MIT */
/* A scripted vfio-user client and the server it talks to, over a socket pair. */
#ifndef VU_TEST_CLIENT_H
#define VU_TEST_CLIENT_H

#include "../../firmware-sim/vfio/server.h"
#include "../../firmware-sim/vfio/proto.h"
#include "mock_sim.h"

#include <linux/vfio.h>
#include <nca/regs.h>

struct bench {
	struct ncasim *sim;
	struct vu_irqs irqs;
	struct vu_device dev;
	struct vu_server srv;
	pthread_t thread;
	bool talking;
	int fd;				/* the client's end */
	int server_fd;
	uint16_t next_id;
};

/* A reply as it came. */
struct answer {
	struct vu_header hdr;
	uint8_t data[8192];
	size_t len;
	int fd;				/* -1 = none came */
};

/* Everything fails the test (and the program) if it does not work. */
void bench_open(struct bench *b, unsigned int unmap_ms, unsigned int stall_ms);
void bench_close(struct bench *b);

/* Connects; with @hello the version is negotiated, too. */
void bench_connect(struct bench *b, bool hello);
/* Negotiates on b->fd, however it was connected. False: refused. */
bool client_hello(struct bench *b);
/* Closes the client's end and waits until the server has cleaned up. */
void bench_disconnect(struct bench *b);

void client_send_raw(struct bench *b, const void *buf, size_t len, const int *fds,
		     unsigned int nfds);
/* A request whose header says what is given. Returns its id. */
uint16_t client_send(struct bench *b, uint16_t command, uint32_t flags, const void *payload,
		     size_t len, const int *fds, unsigned int nfds);
/* False: the server closed the connection. */
bool client_recv(struct bench *b, struct answer *a);
/* Is the end of the stream all that is left? */
bool client_eof(struct bench *b);

/*
 * Request and reply. Returns the reply's errno, 0 without the error flag, -1 if
 * the connection was closed instead. @a may be NULL.
 */
int client_call(struct bench *b, uint16_t command, const void *payload, size_t len,
		const int *fds, unsigned int nfds, struct answer *a);

int client_read(struct bench *b, uint32_t region, uint64_t offset, void *buf, uint32_t count);
int client_write(struct bench *b, uint32_t region, uint64_t offset, const void *buf,
		 uint32_t count);
int client_map(struct bench *b, uint64_t address, uint64_t size, int fd, uint64_t offset,
	       uint32_t flags);
int client_unmap(struct bench *b, uint64_t address, uint64_t size, uint32_t flags);
int client_set_irqs(struct bench *b, uint32_t flags, uint32_t start, uint32_t count,
		    const int *fds, unsigned int nfds);

uint16_t config_word(struct bench *b, uint32_t offset);
void set_config_word(struct bench *b, uint32_t offset, uint16_t v);
/* Command register: memory and bus mastering on. */
void enable_function(struct bench *b);

/* Sealed against nothing, filled with a byte. */
int memory_file(size_t len, uint8_t fill);

/* The files of this program. */
void add_protocol_tests(void);
void add_malformed_tests(void);
void add_region_tests(void);
void add_dma_tests(void);
void add_irq_tests(void);
void add_program_tests(void);
void add_run_tests(void);

#endif
