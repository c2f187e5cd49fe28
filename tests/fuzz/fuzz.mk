# Fuzz targets. A target is its name in FUZZ_TARGETS, its source with $(fuzz_main), and
# $(fuzz_ldadd); its seeds stand in tests/fuzz/corpus/NAME/.
# Plain build: `make check` replays the seeds. configure --enable-fuzz CC=clang: each
# target is a libFuzzer program.
EXTRA_DIST += tests/fuzz/corpus

if LIBFUZZER
fuzz_main =
else
fuzz_main = tests/fuzz/replay.c
endif
fuzz_ldadd = $(core_ldadd) $(FUZZ_ENGINE)

# --- base
FUZZ_TARGETS += tests/fuzz/fuzz_base_text
tests_fuzz_fuzz_base_text_SOURCES = tests/fuzz/fuzz_base_text.c $(fuzz_main)
tests_fuzz_fuzz_base_text_LDADD = $(fuzz_ldadd)

# --- wire
FUZZ_TARGETS += tests/fuzz/fuzz_ike_message
tests_fuzz_fuzz_ike_message_SOURCES = tests/fuzz/fuzz_ike_message.c $(fuzz_main)
tests_fuzz_fuzz_ike_message_LDADD = $(fuzz_ldadd)

FUZZ_TARGETS += tests/fuzz/fuzz_sa_payload
tests_fuzz_fuzz_sa_payload_SOURCES = tests/fuzz/fuzz_sa_payload.c $(fuzz_main)
tests_fuzz_fuzz_sa_payload_LDADD = $(fuzz_ldadd)

# One payload, one target.
FUZZ_TARGETS += tests/fuzz/fuzz_payload_ke
tests_fuzz_fuzz_payload_ke_SOURCES = tests/fuzz/fuzz_payload.c $(fuzz_main)
tests_fuzz_fuzz_payload_ke_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_PAYLOAD=PAYLOAD_KE
tests_fuzz_fuzz_payload_ke_LDADD = $(fuzz_ldadd)

FUZZ_TARGETS += tests/fuzz/fuzz_payload_nonce
tests_fuzz_fuzz_payload_nonce_SOURCES = tests/fuzz/fuzz_payload.c $(fuzz_main)
tests_fuzz_fuzz_payload_nonce_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_PAYLOAD=PAYLOAD_NONCE
tests_fuzz_fuzz_payload_nonce_LDADD = $(fuzz_ldadd)

FUZZ_TARGETS += tests/fuzz/fuzz_payload_id
tests_fuzz_fuzz_payload_id_SOURCES = tests/fuzz/fuzz_payload.c $(fuzz_main)
tests_fuzz_fuzz_payload_id_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_PAYLOAD=PAYLOAD_IDI
tests_fuzz_fuzz_payload_id_LDADD = $(fuzz_ldadd)

FUZZ_TARGETS += tests/fuzz/fuzz_payload_auth
tests_fuzz_fuzz_payload_auth_SOURCES = tests/fuzz/fuzz_payload.c $(fuzz_main)
tests_fuzz_fuzz_payload_auth_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_PAYLOAD=PAYLOAD_AUTH
tests_fuzz_fuzz_payload_auth_LDADD = $(fuzz_ldadd)

FUZZ_TARGETS += tests/fuzz/fuzz_payload_notify
tests_fuzz_fuzz_payload_notify_SOURCES = tests/fuzz/fuzz_payload.c $(fuzz_main)
tests_fuzz_fuzz_payload_notify_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_PAYLOAD=PAYLOAD_NOTIFY
tests_fuzz_fuzz_payload_notify_LDADD = $(fuzz_ldadd)

FUZZ_TARGETS += tests/fuzz/fuzz_payload_delete
tests_fuzz_fuzz_payload_delete_SOURCES = tests/fuzz/fuzz_payload.c $(fuzz_main)
tests_fuzz_fuzz_payload_delete_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_PAYLOAD=PAYLOAD_DELETE
tests_fuzz_fuzz_payload_delete_LDADD = $(fuzz_ldadd)

FUZZ_TARGETS += tests/fuzz/fuzz_payload_vendor
tests_fuzz_fuzz_payload_vendor_SOURCES = tests/fuzz/fuzz_payload.c $(fuzz_main)
tests_fuzz_fuzz_payload_vendor_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_PAYLOAD=PAYLOAD_VENDOR
tests_fuzz_fuzz_payload_vendor_LDADD = $(fuzz_ldadd)

FUZZ_TARGETS += tests/fuzz/fuzz_payload_ts
tests_fuzz_fuzz_payload_ts_SOURCES = tests/fuzz/fuzz_payload.c $(fuzz_main)
tests_fuzz_fuzz_payload_ts_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_PAYLOAD=PAYLOAD_TSI
tests_fuzz_fuzz_payload_ts_LDADD = $(fuzz_ldadd)

FUZZ_TARGETS += tests/fuzz/fuzz_payload_sk
tests_fuzz_fuzz_payload_sk_SOURCES = tests/fuzz/fuzz_payload.c $(fuzz_main)
tests_fuzz_fuzz_payload_sk_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_PAYLOAD=PAYLOAD_SK
tests_fuzz_fuzz_payload_sk_LDADD = $(fuzz_ldadd)

FUZZ_TARGETS += tests/fuzz/fuzz_payload_skf
tests_fuzz_fuzz_payload_skf_SOURCES = tests/fuzz/fuzz_payload.c $(fuzz_main)
tests_fuzz_fuzz_payload_skf_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_PAYLOAD=PAYLOAD_SKF
tests_fuzz_fuzz_payload_skf_LDADD = $(fuzz_ldadd)

FUZZ_TARGETS += tests/fuzz/fuzz_ip_packet
tests_fuzz_fuzz_ip_packet_SOURCES = tests/fuzz/fuzz_ip_packet.c $(fuzz_main)
tests_fuzz_fuzz_ip_packet_LDADD = $(fuzz_ldadd)

FUZZ_TARGETS += tests/fuzz/fuzz_natt
tests_fuzz_fuzz_natt_SOURCES = tests/fuzz/fuzz_natt.c $(fuzz_main)
tests_fuzz_fuzz_natt_LDADD = $(fuzz_ldadd)

# --- crypto
FUZZ_TARGETS += tests/fuzz/fuzz_certificate
tests_fuzz_fuzz_certificate_SOURCES = tests/fuzz/fuzz_certificate.c tests/fuzz/fuzz_certificate_signer.h $(fuzz_main)
tests_fuzz_fuzz_certificate_LDADD = $(fuzz_ldadd)

# --- config
FUZZ_TARGETS += tests/fuzz/fuzz_config
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c $(fuzz_main)
tests_fuzz_fuzz_config_LDADD = $(fuzz_ldadd)
EXTRA_DIST += tests/fuzz/config.dict tests/fuzz/ike.dict

# --- esp
FUZZ_TARGETS += tests/fuzz/fuzz_ah_inbound
tests_fuzz_fuzz_ah_inbound_SOURCES = tests/fuzz/fuzz_ah_inbound.c $(fuzz_main)
tests_fuzz_fuzz_ah_inbound_LDADD = $(fuzz_ldadd)

FUZZ_TARGETS += tests/fuzz/fuzz_esp_inbound
tests_fuzz_fuzz_esp_inbound_SOURCES = tests/fuzz/fuzz_esp_inbound.c $(fuzz_main)
tests_fuzz_fuzz_esp_inbound_LDADD = $(fuzz_ldadd)

FUZZ_TARGETS += tests/fuzz/fuzz_esp_outbound
tests_fuzz_fuzz_esp_outbound_SOURCES = tests/fuzz/fuzz_esp_outbound.c $(fuzz_main)
tests_fuzz_fuzz_esp_outbound_LDADD = $(fuzz_ldadd)

# --- ike
FUZZ_TARGETS += tests/fuzz/fuzz_ike
tests_fuzz_fuzz_ike_SOURCES = tests/fuzz/fuzz_ike.c $(fuzz_main)
tests_fuzz_fuzz_ike_LDADD = $(fuzz_ldadd)

FUZZ_TARGETS += tests/fuzz/fuzz_ike_fragments
tests_fuzz_fuzz_ike_fragments_SOURCES = tests/fuzz/fuzz_ike_fragments.c $(fuzz_main)
tests_fuzz_fuzz_ike_fragments_LDADD = $(fuzz_ldadd)


FUZZ_TARGETS += tests/fuzz/fuzz_exchange
tests_fuzz_fuzz_exchange_SOURCES = tests/fuzz/fuzz_exchange.c tests/fuzz/world.c \
	tests/unit/pki_lab.c $(fuzz_main)
tests_fuzz_fuzz_exchange_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_fuzz_fuzz_exchange_LDADD = $(fuzz_ldadd) $(CMOCKA_LIBS)
EXTRA_DIST += tests/fuzz/world.h

# --- node, replica
FUZZ_TARGETS += tests/fuzz/fuzz_cluster_msg
tests_fuzz_fuzz_cluster_msg_SOURCES = tests/fuzz/fuzz_cluster_msg.c $(fuzz_main)
tests_fuzz_fuzz_cluster_msg_LDADD = $(fuzz_ldadd)
FUZZ_TARGETS += tests/fuzz/fuzz_node
tests_fuzz_fuzz_node_SOURCES = tests/fuzz/fuzz_node.c $(fuzz_main)
tests_fuzz_fuzz_node_LDADD = $(fuzz_ldadd)

# --- plane
FUZZ_TARGETS += tests/fuzz/fuzz_toobig
tests_fuzz_fuzz_toobig_SOURCES = tests/fuzz/fuzz_toobig.c $(fuzz_main)
tests_fuzz_fuzz_toobig_LDADD = src/plane/libvipsec_plane.a $(outer_ldadd) $(fuzz_ldadd) $(NL_LIBS)
