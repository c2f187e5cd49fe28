/* xfrm/nft.h - a line to netfilter: the table of holding.c, message by message.
 *
 * By hand because such a table belongs to the socket that made it, and the kernel deletes it
 * with the socket: nothing is left behind, however the process ends.
 *
 * Floor 8. Private to holding.c. Results are 0 or an errno.
 */
#ifndef VIPSEC_XFRM_NFT_H
#define VIPSEC_XFRM_NFT_H

#include <stdint.h>

struct nl_msg;

int nft_socket(void); /* -1: errno */
/* A message to the netfilter subsystem; free with nlmsg_free(). */
struct nl_msg *nft_message(
	uint8_t subsystem, uint8_t type, int flags, uint8_t family, uint16_t resource);
/* Sends m, frees it, and waits for the answer, where m asks for one. */
int nft_ask(int fd, struct nl_msg *m);

/* Makes the table: what input has with an SPI of the set goes to the queue. */
int nft_make_table(int fd, uint16_t queue);
int nft_add_spi(int fd, uint32_t spi, uint64_t ms);
int nft_delete_spi(int fd, uint32_t spi);

#endif
