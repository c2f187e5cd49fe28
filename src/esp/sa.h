/* esp/sa.h - one child SA as the data path sees it. Private to the room. */
#ifndef VIPSEC_ESP_SA_H
#define VIPSEC_ESP_SA_H

#include "base/list.h"
#include "esp/esp.h"
#include "esp/replay.h"

struct esp_sa {
	struct list in_scope; /* the newest active one first */
	uint32_t id, rule, spi_in, spi_out;
	uint16_t scope;
	enum policy_mode mode;
	bool encap, esn;
	bool active; /* its outgoing half is in use */
	struct endpoint local, remote;
	struct endpoint told_remote; /* of the last ESP_MAPPING */
	struct ts_list local_ts, remote_ts;

	struct aead *seal, *open;
	uint8_t member;
	bool sent; /* iv_activation means something */
	uint16_t iv_activation;
	uint64_t iv_counter; /* the next packet's */
	uint64_t soft_seq;
	bool told_soft, told_hard, told_inbound;
	uint32_t path_mtu; /* outer packet; 0: the default */

	struct esp_replay replay;
	struct esp_usage usage; /* seq_out: the last number used */
};

enum {
	ESP_BEFORE_TEXT = 8 + AEAD_IV_LEN, /* SPI, number, IV */
	ESP_TRAILER_LEN = 2, /* behind the padding, in front of the tag */
	ESP_ALIGN = 4 /* RFC 4303 2.4; stream modes need no more */
};

/* NULL: the library refuses the keys. */
struct esp_sa *sa_new(const struct esp_child *c);
void sa_free(struct esp_sa *sa);

/* Traffic selectors of both sides; in transport mode also the SA's own ends. */
bool sa_selects(const struct esp_sa *sa, const struct flow *f);

/* What the next packet carries. Takes the number and the IV: they are never used again,
 * whatever becomes of the packet. */
struct sa_stamp {
	uint64_t seq;
	uint64_t iv;
};
enum sa_answer { SA_GO, SA_EXHAUSTED, SA_STALE };
/* SA_STALE: the gate's activation is older than one this SA has sent under. */
enum sa_answer sa_stamp(struct esp_sa *sa, uint16_t activation, struct sa_stamp *out);

/* RFC 4106 5, RFC 7634 2.1: the additional data, 8 octets, with ESN 12. */
enum { SA_AAD_MAX = 12 };
struct span sa_aad(const struct esp_sa *sa, uint32_t spi, uint64_t seq, uint8_t *out);

#endif
