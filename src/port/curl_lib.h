/* port/curl_lib.h - libcurl, loaded when it is first wanted.
 *
 * With all that it needs it would take some 11 MB of locked memory in every daemon, and
 * only those that look at CRLs or OCSP by http ever call it.
 *
 * Floor 7.
 */
#ifndef VIPSEC_PORT_CURL_LIB_H
#define VIPSEC_PORT_CURL_LIB_H

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <stdbool.h>

/* The functions that we use, by their names in libcurl without "curl_". */
struct curl_lib {
	void *handle;
	CURLcode (*global_init)(long flags);
	void (*global_cleanup)(void);
	CURL *(*easy_init)(void);
	void (*easy_cleanup)(CURL *easy);
	CURLcode (*easy_setopt)(CURL *easy, CURLoption option, ...);
	CURLcode (*easy_getinfo)(CURL *easy, CURLINFO info, ...);
	const char *(*easy_strerror)(CURLcode code);
	CURLM *(*multi_init)(void);
	CURLMcode (*multi_cleanup)(CURLM *multi);
	CURLMcode (*multi_setopt)(CURLM *multi, CURLMoption option, ...);
	CURLMcode (*multi_add_handle)(CURLM *multi, CURL *easy);
	CURLMcode (*multi_remove_handle)(CURLM *multi, CURL *easy);
	CURLMcode (*multi_assign)(CURLM *multi, curl_socket_t fd, void *known);
	CURLMcode (*multi_socket_action)(
		CURLM *multi, curl_socket_t fd, int what, int *running);
	CURLMsg *(*multi_info_read)(CURLM *multi, int *left);
	struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
	void (*slist_free_all)(struct curl_slist *list);
};

/* False: it is not there, or too old. */
bool curl_lib_load(struct curl_lib *lib);
void curl_lib_unload(struct curl_lib *lib);

#endif
