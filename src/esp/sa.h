/* esp/sa.h - one child SA as the data path sees it. Private to the room. */
#ifndef VIPSEC_ESP_SA_H
#define VIPSEC_ESP_SA_H

#include "base/list.h"
#include "esp/esp.h"
#include "esp/nat.h"
#include "esp/replay.h"

/* Whom it tells how far it has come, and what it has told (watching.c). */
struct esp_watch {
	struct list link; /* of those that are watched; alone: it is not */
	uint32_t packets, ms;
	uint64_t told_out, told_in, told_ms;
};

struct esp_sa {
	struct list in_scope; /* the newest active one first */
	struct list of_peer; /* with peer */
	struct nat_peer *peer; /* it may share its address: nat.h; NULL: it does not */
	uint32_t id, rule, spi_in, spi_out;
	uint16_t scope;
	enum policy_mode mode;
	bool encap, esn;
	bool ah; /* ah.h */
	struct policy_tags tags;
	bool active; /* its outgoing half is in use */
	struct endpoint local, remote;
	struct endpoint told_remote; /* of the last ESP_MAPPING */
	struct ts_list local_ts, remote_ts;

	struct aead *seal, *open;
	struct aead_shape shape; /* of its packets */
	bool composed; /* RFC 4303 2.2.1: where the upper half of the number is authenticated */
	uint8_t member;
	bool sent; /* iv_activation means something */
	uint16_t iv_activation;
	uint64_t iv_counter; /* the next packet's */
	uint64_t soft_seq;
	bool told_soft, told_hard, told_inbound;
	uint32_t path_mtu; /* outer packet; 0: the default */

	struct esp_replay replay;
	struct esp_watch watch;
	struct esp_usage usage; /* seq_out: the last number used */
};

enum {
	ESP_IV_AT = 8, /* behind SPI and number */
	ESP_TRAILER_LEN = 2, /* behind the padding, in front of the tag */
	ESP_ALIGN = 4 /* RFC 4303 2.4; a block cipher may need more */
};

/* Of ESP: octets in front of the text, and what its length is a multiple of. */
size_t sa_before_text(const struct esp_sa *sa);
size_t sa_align(const struct esp_sa *sa);
/* Largest text in so many octets behind the outer IP header. */
size_t sa_text_room(const struct esp_sa *sa, size_t octets);

/* NULL: the library refuses the keys. */
struct esp_sa *sa_new(const struct esp_child *c);
void sa_free(struct esp_sa *sa);

/* Traffic selectors of both sides; in transport mode also the SA's own ends. */
bool sa_selects(const struct esp_sa *sa, const struct flow *f);

/* What is sealed, where it lies, and its protocol. */
struct sa_text {
	uint8_t *at;
	size_t len;
	uint8_t next;
};

/* What the next packet carries. Takes the number and the IV: they are never used again,
 * whatever becomes of the packet. */
struct sa_stamp {
	uint64_t seq;
	uint64_t iv;
};
enum sa_answer { SA_GO, SA_EXHAUSTED, SA_STALE };
/* SA_STALE: the gate's activation is older than one this SA has sent under. */
enum sa_answer sa_stamp(struct esp_sa *sa, uint16_t activation, struct sa_stamp *out);

/* What is authenticated around IV and text: with an AEAD SPI and number in front (RFC 4106
 * 5, RFC 7634 2.1), 8 octets, with ESN 12; else the header in front and, with ESN, the
 * number's upper half behind (RFC 4303 2.2.1). */
enum { SA_AAD_MAX = 12 };
struct sa_aad {
	uint8_t store[SA_AAD_MAX];
	struct span clear, tail;
};
void sa_aad(const struct esp_sa *sa, uint32_t spi, uint64_t seq, struct sa_aad *out);

#endif
