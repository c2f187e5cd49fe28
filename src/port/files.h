/* port/files.h - how the configuration reaches the files it names.
 *
 * Floor 7: vipsecd and `vipsec check` both read through this.
 */
#ifndef VIPSEC_PORT_FILES_H
#define VIPSEC_PORT_FILES_H

#include "config/config.h"
#include "port/keys.h"

/* Secret files must be regular, owned by root or us, and not readable by others. One
 * trailing newline is not part of the secret. */
/* ctx is to be a struct files_source, or NULL. */
struct config_files files_of_disk(void);
struct files_source {
	struct keys *keys; /* those of before; NULL: none are kept */
	const struct config_report *report; /* hears when one of before is used */
	bool starting; /* an expired certificate is no reason not to start */
};
/* A file that nobody but its owner may read; heap text. NULL and the reason. */
char *files_read_private(const char *path, size_t *len, char *why, size_t why_cap);
/* The whole file as heap text, NUL behind it; NULL and the reason. */
char *files_read_text(const char *path, size_t *len, char *why, size_t why_cap);
/* Reads and parses; errors go to report. NULL: not usable. */
struct config *files_load_config(const char *path, const struct files_source *from,
	const struct config_report *report);

#endif
