/* port/curl_lib.c - libcurl by dlopen(). */
#include "port/curl_lib.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

static const struct {
	const char *name;
	size_t at;
} functions[] = {
#define FUNCTION(name)                                         \
	{                                                      \
		"curl_" #name, offsetof(struct curl_lib, name) \
	}
	FUNCTION(global_init),
	FUNCTION(global_cleanup),
	FUNCTION(easy_init),
	FUNCTION(easy_cleanup),
	FUNCTION(easy_setopt),
	FUNCTION(easy_getinfo),
	FUNCTION(easy_strerror),
	FUNCTION(multi_init),
	FUNCTION(multi_cleanup),
	FUNCTION(multi_setopt),
	FUNCTION(multi_add_handle),
	FUNCTION(multi_remove_handle),
	FUNCTION(multi_assign),
	FUNCTION(multi_socket_action),
	FUNCTION(multi_info_read),
	FUNCTION(slist_append),
	FUNCTION(slist_free_all),
};

bool curl_lib_load(struct curl_lib *lib)
{
	*lib = (struct curl_lib){.handle = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL)};
	if (!lib->handle)
		return false;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		void *f = dlsym(lib->handle, functions[i].name);

		if (!f) {
			curl_lib_unload(lib);
			return false;
		}
		memcpy((char *)lib + functions[i].at, &f, sizeof(f));
	}
	return true;
}

void curl_lib_unload(struct curl_lib *lib)
{
	if (lib->handle)
		dlclose(lib->handle);
	*lib = (struct curl_lib){.handle = NULL};
}
