# Benchmarks: programs that print figures. `make bench` runs them one after the other.
BENCHMARKS += tests/bench/bench_esp
check_PROGRAMS += tests/bench/bench_esp
tests_bench_bench_esp_SOURCES = tests/bench/bench_esp.c tests/bench/figures.c \
	tests/bench/figures.h
tests_bench_bench_esp_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_bench_bench_esp_LDADD = $(core_ldadd)

# In process: what several use stands in bench_lab_sources.
bench_lab_sources = tests/bench/end.c tests/bench/end.h tests/bench/figures.c \
	tests/bench/figures.h
BENCHMARKS += tests/bench/bench_ike
check_PROGRAMS += tests/bench/bench_ike
tests_bench_bench_ike_SOURCES = tests/bench/bench_ike.c $(bench_lab_sources)
tests_bench_bench_ike_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_bench_bench_ike_LDADD = $(core_ldadd)

BENCHMARKS += tests/bench/bench_flood
check_PROGRAMS += tests/bench/bench_flood
tests_bench_bench_flood_SOURCES = tests/bench/bench_flood.c $(bench_lab_sources)
tests_bench_bench_flood_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_bench_bench_flood_LDADD = $(core_ldadd)

BENCHMARKS += tests/bench/bench_node
check_PROGRAMS += tests/bench/bench_node
tests_bench_bench_node_SOURCES = tests/bench/bench_node.c tests/bench/member.c \
	tests/bench/member.h src/daemon/report_peers.c src/daemon/values.c \
	$(bench_lab_sources)
tests_bench_bench_node_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_bench_bench_node_CFLAGS = -D_GNU_SOURCE $(AM_CFLAGS) $(QB_CFLAGS) $(COROSYNC_CFLAGS) \
	$(JANSSON_CFLAGS) $(CAPNG_CFLAGS)
tests_bench_bench_node_LDADD = $(outer_ldadd) $(JANSSON_LIBS) -lpthread

# The data plane between namespaces: the script makes the links and runs these.
BENCH_LABS += tests/bench/bench_plane.py
EXTRA_DIST += tests/bench/bench_plane.py
check_PROGRAMS += tests/bench/bench-traffic tests/bench/bench-forward
tests_bench_bench_traffic_SOURCES = tests/bench/traffic.c
tests_bench_bench_traffic_CPPFLAGS = -D_GNU_SOURCE $(AM_CPPFLAGS)
tests_bench_bench_forward_SOURCES = tests/bench/forward.c
tests_bench_bench_forward_CPPFLAGS = -D_GNU_SOURCE $(AM_CPPFLAGS)
tests_bench_bench_forward_LDADD = $(core_ldadd)
