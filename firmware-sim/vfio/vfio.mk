# SPDX-License-Identifier: MIT
# The vfio-user bus transport: linked into what serves a device, not part of libncasim.a.
VFIO_USER_SRCS := \
	firmware-sim/vfio/bounded.c \
	firmware-sim/vfio/conn.c \
	firmware-sim/vfio/device.c \
	firmware-sim/vfio/dma.c \
	firmware-sim/vfio/guest_files.c \
	firmware-sim/vfio/irqs.c \
	firmware-sim/vfio/log.c \
	firmware-sim/vfio/pci_config.c \
	firmware-sim/vfio/server.c \
	firmware-sim/vfio/session.c \
	firmware-sim/vfio/version.c
