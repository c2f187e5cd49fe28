noinst_LIBRARIES += src/esp/libvipsec_esp.a
src_esp_libvipsec_esp_a_SOURCES = \
	src/esp/gate.c \
	src/esp/replay.c \
	src/esp/replay_state.c \
	src/esp/watching.c \
	src/esp/reassembly.c \
	src/esp/sa.c \
	src/esp/ah.c \
	src/esp/notices.c \
	src/esp/early.c \
	src/esp/hold.c \
	src/esp/nat.c \
	src/esp/nat_heard.c \
	src/esp/dp.c \
	src/esp/select.c \
	src/esp/path_mtu.c \
	src/esp/outbound.c \
	src/esp/inbound.c
