/* SPDX-License-Identifier: MIT */
/* A bench with the stand-in device. */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s failed\n", what);
	abort();
}

void bench_open(struct bench *b, unsigned int unmap_ms, unsigned int stall_ms)
{
	struct vu_device_opts opts = { .device_id = NCA_PCI_DEVICE_ID_NCA1, .unmap_ms = unmap_ms };
	struct vu_server_opts server_opts = { .stall_ms = stall_ms };

	memset(b, 0, sizeof(*b));
	b->fd = -1;
	irqs_init(&b->irqs);
	b->sim = mock_create(irqs_fire, &b->irqs);
	must(!device_init(&b->dev, b->sim, &b->irqs, &opts), "device_init");
	must(!server_init(&b->srv, &b->dev, -1, &server_opts), "server_init");
}

void bench_close(struct bench *b)
{
	bench_disconnect(b);
	server_fini(&b->srv);
	must(device_fini(&b->dev), "device_fini");
	mock_destroy(b->sim);
	irqs_fini(&b->irqs);
}
