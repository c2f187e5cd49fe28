noinst_LIBRARIES += src/doctor/libvipsec_doctor.a
src_doctor_libvipsec_doctor_a_SOURCES = \
	src/doctor/apart.c src/doctor/apart.h \
	src/doctor/doctor.c src/doctor/doctor.h \
	src/doctor/facts.h \
	src/doctor/findings.c src/doctor/findings.h \
	src/doctor/firewall.c src/doctor/firewall.h \
	src/doctor/firewall_match.c src/doctor/firewall_match.h \
	src/doctor/judge.h src/doctor/judge_machine.c src/doctor/judge_network.c \
	src/doctor/judge_setup.c \
	src/doctor/look.h src/doctor/look_cluster.c src/doctor/look_file.c \
	src/doctor/look_guard.c src/doctor/look_helps.c src/doctor/look_machine.c src/doctor/look_network.c \
	src/doctor/look_policies.c src/doctor/look_ports.c src/doctor/look_setup.c
src_doctor_libvipsec_doctor_a_CFLAGS = -D_GNU_SOURCE $(AM_CFLAGS) $(NL_CFLAGS) $(JANSSON_CFLAGS)
