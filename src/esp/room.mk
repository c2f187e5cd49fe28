noinst_LIBRARIES += src/esp/libvipsec_esp.a
src_esp_libvipsec_esp_a_SOURCES = src/esp/room.c
