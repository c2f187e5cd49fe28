# Benchmarks: programs that print figures. `make bench` runs them one after the other.
BENCHMARKS += tests/bench/bench_esp
check_PROGRAMS += tests/bench/bench_esp
tests_bench_bench_esp_SOURCES = tests/bench/bench_esp.c
tests_bench_bench_esp_LDADD = $(core_ldadd)

# The data plane between namespaces: the script makes the links and runs these.
BENCH_LABS += tests/bench/bench_plane.py
EXTRA_DIST += tests/bench/bench_plane.py
check_PROGRAMS += tests/bench/bench-traffic tests/bench/bench-forward
tests_bench_bench_traffic_SOURCES = tests/bench/traffic.c
tests_bench_bench_forward_SOURCES = tests/bench/forward.c
tests_bench_bench_forward_LDADD = $(core_ldadd)
