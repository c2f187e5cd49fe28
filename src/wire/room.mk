noinst_LIBRARIES += src/wire/libvipsec_wire.a
src_wire_libvipsec_wire_a_SOURCES = \
	src/wire/auth_payload.c src/wire/auth_payload.h \
	src/wire/cert_payload.c src/wire/cert_payload.h \
	src/wire/checksum.c src/wire/checksum.h \
	src/wire/ah_header.c \
	src/wire/esp_header.c src/wire/esp_header.h \
	src/wire/fragment.c src/wire/fragment.h \
	src/wire/ike_header.c src/wire/ike_header.h \
	src/wire/ip_packet.c src/wire/ip_packet.h \
	src/wire/ke_payload.c src/wire/ke_payload.h \
	src/wire/message.c src/wire/message.h \
	src/wire/notify_payload.c src/wire/notify_payload.h \
	src/wire/redirect.c src/wire/redirect.h \
	src/wire/payload.c src/wire/payload.h \
	src/wire/reader.c src/wire/reader.h \
	src/wire/sa_payload.c src/wire/sa_payload.h \
	src/wire/talk.c src/wire/talk.h \
	src/wire/ts_payload.c src/wire/ts_payload.h \
	src/wire/wire.h \
	src/wire/writer.c src/wire/writer.h
