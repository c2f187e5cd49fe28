noinst_LIBRARIES += src/routing/libvipsec_routing.a
src_routing_libvipsec_routing_a_SOURCES = \
	src/routing/cover.c src/routing/cover.h \
	src/routing/device.c src/routing/device.h \
	src/routing/netlink.c src/routing/netlink.h \
	src/routing/sources.c src/routing/sources.h \
	src/routing/steer_rules.c src/routing/steer_rules.h \
	src/routing/steer_seen.c src/routing/steer_seen.h \
	src/routing/steer_table.c src/routing/steer_table.h \
	src/routing/steer_watch.c src/routing/steer_watch.h \
	src/routing/steered.h \
	src/routing/steering.c src/routing/steering.h src/routing/steering_parts.h \
	src/routing/steering_mend.c
src_routing_libvipsec_routing_a_CFLAGS = $(AM_CFLAGS) $(NL_CFLAGS)
