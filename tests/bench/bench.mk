# Benchmarks: programs that print figures. `make bench` runs them one after the other.
BENCHMARKS += tests/bench/bench_esp
check_PROGRAMS += tests/bench/bench_esp
tests_bench_bench_esp_SOURCES = tests/bench/bench_esp.c
tests_bench_bench_esp_LDADD = $(core_ldadd)
