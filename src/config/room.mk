noinst_LIBRARIES += src/config/libvipsec_config.a
src_config_libvipsec_config_a_SOURCES = \
	src/config/algorithms.c src/config/algorithms.h \
	src/config/block.c src/config/block.h \
	src/config/check.c \
	src/config/config.c src/config/config.h \
	src/config/draft.c src/config/draft.h \
	src/config/errors.c src/config/errors.h \
	src/config/expand.c src/config/expand.h \
	src/config/hash.c src/config/hash.h \
	src/config/key_exchanges.c src/config/key_exchanges.h \
	src/config/names.c \
	src/config/part.c src/config/part.h \
	src/config/read_filter.c \
	src/config/read_host.c \
	src/config/read_identity.c \
	src/config/read_policy.c \
	src/config/read_proposal.c \
	src/config/read_tags.c \
	src/config/read_vip.c \
	src/config/resolve.c \
	src/config/suggest.c src/config/suggest.h \
	src/config/tree.c src/config/tree.h src/config/tree_parts.h
# What flex and bison make is not part of a release: both are needed to build.
nodist_src_config_libvipsec_config_a_SOURCES = \
	src/config/grammar.c src/config/grammar.h src/config/scanner.c
EXTRA_DIST += src/config/grammar.y src/config/scanner.l
BUILT_SOURCES += src/config/grammar.h
CLEANFILES += src/config/grammar.c src/config/grammar.h src/config/scanner.c

src/config/grammar.c: src/config/grammar.y
	$(AM_V_GEN)$(MKDIR_P) src/config && bison -Wall -Werror --no-lines \
		--defines=src/config/grammar.h -o $@ $(srcdir)/src/config/grammar.y
src/config/grammar.h: src/config/grammar.c
	@test -f $@ || { rm -f src/config/grammar.c; $(MAKE) src/config/grammar.c; }
src/config/scanner.c: src/config/scanner.l
	$(AM_V_GEN)$(MKDIR_P) src/config && $(LEX) --noline -o $@ \
		$(srcdir)/src/config/scanner.l
