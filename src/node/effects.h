/* node/effects.h - what a node wants done, as a list.
 *
 * An effect owns its bytes until effects_clear(). The loop carries effects out in order
 * and completely before the next event; an FX_STORE is on disk before the effects behind
 * it begin (the activation number must outlive a crash, see design of the IV).
 *
 * Floor 4.
 */
#ifndef VIPSEC_NODE_EFFECTS_H
#define VIPSEC_NODE_EFFECTS_H

#include "config/config.h"
#include "esp/esp.h"
#include "ike/ike.h"

enum effect_kind {
	FX_SEND, /* an IKE datagram; the node has judged that it may leave, also when the
		    gate is closed (Deletes from an address just lost) */
	FX_SOCKETS, /* open or close the IKE sockets of an address */
	FX_ANNOUNCE, /* gratuitous ARP, unsolicited NA */
	FX_POLICY, /* a scope's SPD and addresses; spd NULL: the scope ends */
	FX_GATE, /* open or close; each closing is acknowledged by one NODE_GATE_CLOSED,
		    even when the gate was opened again */
	FX_SA_AWAIT, /* what comes with this SPI of ours, which has no SA yet, is to wait a
			moment: we ask for one (RFC 7296 2.8) */
	FX_SA_ADD,
	FX_SA_ACTIVATE,
	FX_SA_DELETE,
	FX_SA_MOVE,
	FX_USAGE_QUERY, /* every child: answered by NODE_USAGE events */
	FX_CLUSTER_SEND,
	FX_STORE, /* keep under this name, replacing; bytes empty: remove. "held" is about
		     this boot only (/run); the others outlive it */
	FX_EVENT, /* for the log, `vipsec events` and the auditor */
	FX_REPLY, /* to a command */
	FX_EXIT, /* shutdown is complete */
	FX_FETCH, /* a CRL or an OCSP answer by http; NODE_FETCHED follows, always */
	FX_RESOLVE, /* the addresses of a name; NODE_RESOLVED follows, always */
	FX_KEEPALIVE /* one octet 0xff from our port 4500 (RFC 3948 2.3) */
};

enum effect_severity {
	EVENT_DEBUG,
	EVENT_INFO,
	EVENT_NOTICE,
	EVENT_WARNING,
	EVENT_ERROR
};

#define EVENT_TEXT_MAX 320

struct effect {
	enum effect_kind kind;
	uint16_t scope;
	union {
		struct {
			struct ike_path path;
			uint8_t *bytes; /* heap */
			size_t len;
		} send;
		struct {
			struct addr addr;
			bool open;
		} sockets;
		struct {
			struct endpoint local, remote;
		} keepalive;
		struct {
			uint32_t id;
			struct fetch_wish wish;
		} fetch;
		struct {
			uint32_t id;
			char name[HOSTNAME_MAX];
		} resolve;
		struct addr announce;
		struct {
			struct spd *spd; /* the executor takes it over and sets it NULL */
			struct addr addrs[CONFIG_VIP_ADDRS];
			size_t n_addrs;
		} policy;
		struct {
			bool open;
			uint16_t activation;
		} gate;
		struct esp_child *child; /* heap; wiped by effects_clear */
		uint32_t id; /* ACTIVATE, DELETE; AWAIT: the SPI */
		struct {
			uint32_t id;
			struct endpoint remote;
			bool encap; /* ESP in UDP */
		} move;
		struct {
			char name[64]; /* "peers", "held", "activation": [a-z0-9-] */
			uint8_t *bytes;
			size_t len; /* also of FX_CLUSTER_SEND, name unused */
		} blob;
		struct {
			enum effect_severity severity;
			const char *kind; /* static: "child-up", "vip-bound", ... */
			char vip[POLICY_NAME_MAX]; /* empty: none, "host" */
			struct endpoint peer;
			uint32_t ike; /* 0: none */
			char text[EVENT_TEXT_MAX];
		} event;
		struct {
			uint64_t token;
			int code; /* exit codes of `vipsec`: 0, 1, 3, 7 */
			char text[EVENT_TEXT_MAX];
		} reply;
	} u;
};

struct effects {
	struct effect *at;
	size_t n, cap;
};

void effects_init(struct effects *e);
void effects_clear(struct effects *e); /* frees what the effects own; keeps the array */
void effects_free(struct effects *e);
/* A new zeroed effect at the end; valid until the next call. */
struct effect *effects_add(struct effects *e, enum effect_kind kind, uint16_t scope);

#endif
