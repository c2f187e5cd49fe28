noinst_LIBRARIES += src/os/libvipsec_os.a
src_os_libvipsec_os_a_SOURCES = \
	src/os/clock.c src/os/clock.h \
	src/os/sockaddr.c src/os/sockaddr.h \
	src/os/socket.c src/os/socket.h \
	src/os/timer.c src/os/timer.h
