/* wire/talk.h - which talk between two hosts a packet is part of, as a NAT would see it.
 *
 * Seen from the local side, whatever the direction: both packets of a question and its
 * answer have one talk. Protocols without ports have one for each pair of hosts.
 *
 * Floor 1.
 */
#ifndef VIPSEC_WIRE_TALK_H
#define VIPSEC_WIRE_TALK_H

#include "wire/ip_packet.h"

struct talk {
	uint8_t proto;
	/* ICMP's questions and answers: 1 if the remote side asked, 0 if we did, and the
	 * identifier. Zeros: no ports. */
	uint16_t local_port, remote_port;
	uint16_t port_at; /* where in the packet the remote side's port, or the identifier
			     of its question, stands; 0: nowhere that may be changed */
	bool quoted; /* an ICMP error about that talk, which its text quotes */
	bool opens, closes; /* TCP: SYN; FIN or RST */
};

/* ip is what ip_packet_read() made of the packet, which is whole. False: an ICMP error
 * that quotes nothing that can be read. */
bool talk_read(
	struct span packet, const struct ip_packet *ip, bool outbound, struct talk *out);

#endif
