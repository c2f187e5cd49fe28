/* wire/wire.h - what the wire room's headers have in common.
 *
 * Everything in this room turns bytes into values and values into bytes, and does
 * nothing else. What a parser left in *out means something only when it returned WIRE_OK;
 * spans inside a value live as long as the packet under them.
 *
 * Floor 1.
 */
#ifndef VIPSEC_WIRE_WIRE_H
#define VIPSEC_WIRE_WIRE_H

enum wire_err {
	WIRE_OK = 0,
	WIRE_MALFORMED, /* the peer's fault: INVALID_SYNTAX, or dropped */
	WIRE_CRITICAL /* a payload that we do not know is marked critical */
};

#define WIRE_CHECKED __attribute__((warn_unused_result))

#endif
