noinst_LIBRARIES += src/config/libvipsec_config.a
src_config_libvipsec_config_a_SOURCES = src/config/room.c
