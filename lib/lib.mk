# SPDX-License-Identifier: MIT
ACCEL_SRCS += \
	lib/buffer.c \
	lib/context.c \
	lib/device.c \
	lib/error.c \
	lib/fork.c \
	lib/graph.c \
	lib/launch.c \
	lib/launch_report.c \
	lib/names.c \
	lib/queue.c \
	lib/queue_lost.c \
	lib/queue_setup.c \
	lib/queue_wait.c \
	lib/ranges.c \
	lib/drm/context.c \
	lib/drm/device.c \
	lib/drm/discover.c \
	lib/drm/memory.c \
	lib/drm/near.c \
	lib/drm/pci.c \
	lib/drm/queue.c \
	lib/ncx/check.c \
	lib/ncx/elf.c \
	lib/ncx/file.c \
	lib/ncx/info.c \
	lib/sim/admin.c \
	lib/sim/capacity.c \
	lib/sim/context.c \
	lib/sim/device.c \
	lib/sim/events.c \
	lib/sim/memory.c \
	lib/sim/queue.c

COLD_SRCS += $(addprefix lib/, buffer.c context.c device.c error.c fork.c graph.c names.c queue_setup.c \
	ranges.c drm/context.c drm/device.c drm/discover.c drm/memory.c drm/near.c drm/pci.c \
	ncx/check.c ncx/elf.c ncx/file.c ncx/info.c \
	sim/admin.c sim/capacity.c sim/context.c sim/device.c sim/events.c sim/memory.c)
