# Unit tests, one block a room. A test program is its name in UNIT_TESTS, its sources,
# and $(unit_ldadd); one that needs flags of its own adds PROGRAM_CPPFLAGS. `make check`
# runs all of them.
#
# Rooms stand in the order of their floors.

# --- every room
EXTRA_DIST += tests/unit/unit.h

# --- base
UNIT_TESTS += tests/unit/test_base_addr
tests_unit_test_base_addr_SOURCES = tests/unit/test_base_addr.c
tests_unit_test_base_addr_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_base_identity
tests_unit_test_base_identity_SOURCES = tests/unit/test_base_identity.c
tests_unit_test_base_identity_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_base_map
tests_unit_test_base_map_SOURCES = tests/unit/test_base_map.c
tests_unit_test_base_map_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_base_misc
tests_unit_test_base_misc_SOURCES = tests/unit/test_base_misc.c
tests_unit_test_base_misc_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_base_ts
tests_unit_test_base_ts_SOURCES = tests/unit/test_base_ts.c
tests_unit_test_base_ts_LDADD = $(unit_ldadd)

# --- wire
UNIT_TESTS += tests/unit/test_wire_cursor
tests_unit_test_wire_cursor_SOURCES = tests/unit/test_wire_cursor.c
tests_unit_test_wire_cursor_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_wire_esp
tests_unit_test_wire_esp_SOURCES = tests/unit/test_wire_esp.c
tests_unit_test_wire_esp_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_wire_ah
tests_unit_test_wire_ah_SOURCES = tests/unit/test_wire_ah.c
tests_unit_test_wire_ah_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_wire_ip
tests_unit_test_wire_ip_SOURCES = tests/unit/test_wire_ip.c
tests_unit_test_wire_ip_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_wire_message
tests_unit_test_wire_message_SOURCES = tests/unit/test_wire_message.c
tests_unit_test_wire_message_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_wire_payloads
tests_unit_test_wire_payloads_SOURCES = tests/unit/test_wire_payloads.c
tests_unit_test_wire_payloads_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_wire_sa
tests_unit_test_wire_sa_SOURCES = tests/unit/test_wire_sa.c
tests_unit_test_wire_sa_LDADD = $(unit_ldadd)

# --- crypto
EXTRA_DIST += tests/unit/hex.h tests/vectors/aead.h tests/vectors/kex.h \
	tests/vectors/prf.h

UNIT_TESTS += tests/unit/test_crypto_aead
tests_unit_test_crypto_aead_SOURCES = tests/unit/test_crypto_aead.c
tests_unit_test_crypto_aead_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_crypto_etm
tests_unit_test_crypto_etm_SOURCES = tests/unit/test_crypto_etm.c
tests_unit_test_crypto_etm_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_crypto_plain
tests_unit_test_crypto_plain_SOURCES = tests/unit/test_crypto_plain.c
tests_unit_test_crypto_plain_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_crypto_kex
tests_unit_test_crypto_kex_SOURCES = tests/unit/test_crypto_kex.c
tests_unit_test_crypto_kex_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_crypto_prf
tests_unit_test_crypto_prf_SOURCES = tests/unit/test_crypto_prf.c
tests_unit_test_crypto_prf_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_crypto_signature
tests_unit_test_crypto_signature_SOURCES = tests/unit/test_crypto_signature.c \
	tests/unit/pki_lab.c tests/unit/pki_lab.h
tests_unit_test_crypto_signature_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_crypto_trust
tests_unit_test_crypto_trust_SOURCES = tests/unit/test_crypto_trust.c tests/unit/pki_lab.c
tests_unit_test_crypto_trust_LDADD = $(unit_ldadd)

# --- policy
UNIT_TESTS += tests/unit/test_policy_explain
tests_unit_test_policy_explain_SOURCES = tests/unit/test_policy_explain.c
tests_unit_test_policy_explain_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_policy_narrow
tests_unit_test_policy_narrow_SOURCES = tests/unit/test_policy_narrow.c
tests_unit_test_policy_narrow_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_policy_spd
tests_unit_test_policy_spd_SOURCES = tests/unit/test_policy_spd.c
tests_unit_test_policy_spd_LDADD = $(unit_ldadd)

# --- config
EXTRA_DIST += tests/unit/config_files.h tests/vectors/config

UNIT_TESTS += tests/unit/test_config_golden
tests_unit_test_config_golden_SOURCES = tests/unit/test_config_golden.c
tests_unit_test_config_golden_CPPFLAGS = $(AM_CPPFLAGS) \
	-DVECTORS='"$(abs_top_srcdir)/tests/vectors/config"' \
	-DEXAMPLES='"$(abs_top_srcdir)/docs"'
tests_unit_test_config_golden_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_config_identity
tests_unit_test_config_identity_SOURCES = tests/unit/test_config_identity.c \
	tests/unit/pki_lab.c
tests_unit_test_config_identity_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_config_parse
tests_unit_test_config_parse_SOURCES = tests/unit/test_config_parse.c
tests_unit_test_config_parse_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_config_suggest
tests_unit_test_config_suggest_SOURCES = tests/unit/test_config_suggest.c
tests_unit_test_config_suggest_LDADD = $(unit_ldadd)

# --- ike
EXTRA_DIST += tests/unit/ike_lab.h
EXTRA_DIST += docs/STATES.md tools/states-to-dot tests/tools/t-states.sh
EXTRA_DIST += tests/unit/ike_seen.h tests/unit/ike_craft.h

UNIT_TESTS += tests/unit/test_ike_crossing
tests_unit_test_ike_crossing_SOURCES = tests/unit/test_ike_crossing.c tests/unit/ike_lab.c
tests_unit_test_ike_crossing_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_fragments
tests_unit_test_ike_fragments_SOURCES = tests/unit/test_ike_fragments.c tests/unit/ike_lab.c
tests_unit_test_ike_fragments_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_flood
tests_unit_test_ike_flood_SOURCES = tests/unit/test_ike_flood.c tests/unit/ike_crowd.c \
	tests/unit/ike_crowd.h tests/unit/ike_lab.c
tests_unit_test_ike_flood_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_handshake
tests_unit_test_ike_handshake_SOURCES = tests/unit/test_ike_handshake.c tests/unit/ike_lab.c
tests_unit_test_ike_handshake_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_informational
tests_unit_test_ike_informational_SOURCES = tests/unit/test_ike_informational.c tests/unit/ike_lab.c
tests_unit_test_ike_informational_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_init
tests_unit_test_ike_init_SOURCES = tests/unit/test_ike_init.c tests/unit/ike_lab.c
tests_unit_test_ike_init_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_letter
tests_unit_test_ike_letter_SOURCES = tests/unit/test_ike_letter.c tests/unit/ike_lab.c
tests_unit_test_ike_letter_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_offer
tests_unit_test_ike_offer_SOURCES = tests/unit/test_ike_offer.c tests/unit/ike_lab.c
tests_unit_test_ike_offer_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_plain
tests_unit_test_ike_plain_SOURCES = tests/unit/test_ike_plain.c tests/unit/ike_lab.c
tests_unit_test_ike_plain_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_ah
tests_unit_test_ike_ah_SOURCES = tests/unit/test_ike_ah.c tests/unit/ike_lab.c
tests_unit_test_ike_ah_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_misfit
tests_unit_test_ike_misfit_SOURCES = tests/unit/test_ike_misfit.c tests/unit/ike_lab.c
tests_unit_test_ike_misfit_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_mobike
tests_unit_test_ike_mobike_SOURCES = tests/unit/test_ike_mobike.c tests/unit/ike_lab.c
tests_unit_test_ike_mobike_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_monkey
tests_unit_test_ike_monkey_SOURCES = tests/unit/test_ike_monkey.c tests/unit/ike_lab.c
tests_unit_test_ike_monkey_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_peer
tests_unit_test_ike_peer_SOURCES = tests/unit/test_ike_peer.c tests/unit/ike_lab.c
tests_unit_test_ike_peer_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_followup
tests_unit_test_ike_followup_SOURCES = tests/unit/test_ike_followup.c tests/unit/followup_lab.h \
	tests/unit/ike_lab.c
tests_unit_test_ike_followup_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_followup_crossing
tests_unit_test_ike_followup_crossing_SOURCES = tests/unit/test_ike_followup_crossing.c \
	tests/unit/followup_lab.h tests/unit/ike_lab.c
tests_unit_test_ike_followup_crossing_LDADD = $(unit_ldadd)

# Brings kex_mlkem.c along, whether the library has it or not, and a stand-in for ML-KEM.
UNIT_TESTS += tests/unit/test_ike_mlkem
tests_unit_test_ike_mlkem_SOURCES = tests/unit/test_ike_mlkem.c tests/unit/ike_lab.c \
	tests/unit/toy_kem.c tests/unit/toy_kem.h src/crypto/kex_mlkem.c
tests_unit_test_ike_mlkem_CPPFLAGS = $(AM_CPPFLAGS) $(OPENSSL_CFLAGS)
tests_unit_test_ike_mlkem_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_more_keys
tests_unit_test_ike_more_keys_SOURCES = tests/unit/test_ike_more_keys.c tests/unit/ike_lab.c
tests_unit_test_ike_more_keys_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_intermediate
tests_unit_test_ike_intermediate_SOURCES = tests/unit/test_ike_intermediate.c \
	tests/unit/ike_lab.c
tests_unit_test_ike_intermediate_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_ppk
tests_unit_test_ike_ppk_SOURCES = tests/unit/test_ike_ppk.c tests/unit/ike_lab.c
tests_unit_test_ike_ppk_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_redirect
tests_unit_test_ike_redirect_SOURCES = tests/unit/test_ike_redirect.c tests/unit/ike_lab.c
tests_unit_test_ike_redirect_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_refusal
tests_unit_test_ike_refusal_SOURCES = tests/unit/test_ike_refusal.c tests/unit/ike_lab.c
tests_unit_test_ike_refusal_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_replay
tests_unit_test_ike_replay_SOURCES = tests/unit/test_ike_replay.c tests/unit/ike_lab.c
tests_unit_test_ike_replay_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_retransmit
tests_unit_test_ike_retransmit_SOURCES = tests/unit/test_ike_retransmit.c tests/unit/ike_lab.c
tests_unit_test_ike_retransmit_LDADD = $(unit_ldadd)
UNIT_TESTS += tests/unit/test_ike_cert
tests_unit_test_ike_cert_SOURCES = tests/unit/test_ike_cert.c tests/unit/ike_lab.c \
	tests/unit/pki_lab.c
tests_unit_test_ike_cert_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_childless
tests_unit_test_ike_childless_SOURCES = tests/unit/test_ike_childless.c tests/unit/ike_lab.c
tests_unit_test_ike_childless_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_collision
tests_unit_test_ike_collision_SOURCES = tests/unit/test_ike_collision.c tests/unit/ike_lab.c
tests_unit_test_ike_collision_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_replacing
tests_unit_test_ike_replacing_SOURCES = tests/unit/test_ike_replacing.c tests/unit/ike_lab.c
tests_unit_test_ike_replacing_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_standing
tests_unit_test_ike_standing_SOURCES = tests/unit/test_ike_standing.c tests/unit/ike_lab.c
tests_unit_test_ike_standing_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_further
tests_unit_test_ike_further_SOURCES = tests/unit/test_ike_further.c tests/unit/ike_lab.c tests/unit/ike_rekey_lab.h
tests_unit_test_ike_further_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_rekey
tests_unit_test_ike_rekey_SOURCES = tests/unit/test_ike_rekey.c tests/unit/ike_lab.c tests/unit/ike_rekey_lab.h
tests_unit_test_ike_rekey_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_rekey_ike
tests_unit_test_ike_rekey_ike_SOURCES = tests/unit/test_ike_rekey_ike.c tests/unit/ike_lab.c tests/unit/ike_rekey_lab.h
tests_unit_test_ike_rekey_ike_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_rekey_storm
tests_unit_test_ike_rekey_storm_SOURCES = tests/unit/test_ike_rekey_storm.c tests/unit/ike_lab.c
tests_unit_test_ike_rekey_storm_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_rules
tests_unit_test_ike_rules_SOURCES = tests/unit/test_ike_rules.c
tests_unit_test_ike_rules_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_ike_strange
tests_unit_test_ike_strange_SOURCES = tests/unit/test_ike_strange.c tests/unit/ike_lab.c
tests_unit_test_ike_strange_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_known_certificates
tests_unit_test_known_certificates_SOURCES = tests/unit/test_known_certificates.c \
	tests/unit/pki_lab.c
tests_unit_test_known_certificates_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_known_parsing
tests_unit_test_known_parsing_SOURCES = tests/unit/test_known_parsing.c tests/unit/ike_lab.c
tests_unit_test_known_parsing_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_known_states
tests_unit_test_known_states_SOURCES = tests/unit/test_known_states.c tests/unit/ike_lab.c
tests_unit_test_known_states_LDADD = $(unit_ldadd)

check_PROGRAMS += tests/unit/vipsec-states
tests_unit_vipsec_states_SOURCES = tests/unit/vipsec_states.c
tests_unit_vipsec_states_LDADD = $(core_ldadd)
TOOL_TESTS += tests/tools/t-states.sh

# --- esp
EXTRA_DIST += tests/esp_lab.h
EXTRA_DIST += tests/unit/esp_pair.h

UNIT_TESTS += tests/unit/test_esp_dp
tests_unit_test_esp_dp_SOURCES = tests/unit/test_esp_dp.c
tests_unit_test_esp_dp_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_esp_early
tests_unit_test_esp_early_SOURCES = tests/unit/test_esp_early.c
tests_unit_test_esp_early_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_esp_gate
THREAD_TESTS += tests/unit/test_esp_gate
tests_unit_test_esp_gate_SOURCES = tests/unit/test_esp_gate.c
tests_unit_test_esp_gate_LDADD = $(unit_ldadd) -lpthread

UNIT_TESTS += tests/unit/test_esp_hold
tests_unit_test_esp_hold_SOURCES = tests/unit/test_esp_hold.c
tests_unit_test_esp_hold_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_esp_inside
tests_unit_test_esp_inside_SOURCES = tests/unit/test_esp_inside.c
tests_unit_test_esp_inside_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_esp_nat
tests_unit_test_esp_nat_SOURCES = tests/unit/test_esp_nat.c
tests_unit_test_esp_nat_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_esp_shared
tests_unit_test_esp_shared_SOURCES = tests/unit/test_esp_shared.c
tests_unit_test_esp_shared_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_esp_shared_storm
tests_unit_test_esp_shared_storm_SOURCES = tests/unit/test_esp_shared_storm.c
tests_unit_test_esp_shared_storm_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_esp_open
tests_unit_test_esp_open_SOURCES = tests/unit/test_esp_open.c
tests_unit_test_esp_open_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_esp_ah
tests_unit_test_esp_ah_SOURCES = tests/unit/test_esp_ah.c
tests_unit_test_esp_ah_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_esp_outbound
tests_unit_test_esp_outbound_SOURCES = tests/unit/test_esp_outbound.c
tests_unit_test_esp_outbound_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_esp_path
tests_unit_test_esp_path_SOURCES = tests/unit/test_esp_path.c
tests_unit_test_esp_path_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_esp_path_mtu
tests_unit_test_esp_path_mtu_SOURCES = tests/unit/test_esp_path_mtu.c
tests_unit_test_esp_path_mtu_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_esp_reassembly
tests_unit_test_esp_reassembly_SOURCES = tests/unit/test_esp_reassembly.c
tests_unit_test_esp_reassembly_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_esp_replay
tests_unit_test_esp_replay_SOURCES = tests/unit/test_esp_replay.c
tests_unit_test_esp_replay_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_esp_numbers
tests_unit_test_esp_numbers_SOURCES = tests/unit/test_esp_numbers.c
tests_unit_test_esp_numbers_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_esp_seal
tests_unit_test_esp_seal_SOURCES = tests/unit/test_esp_seal.c
tests_unit_test_esp_seal_LDADD = $(unit_ldadd)

# --- replica
UNIT_TESTS += tests/unit/test_replica_peers
tests_unit_test_replica_peers_SOURCES = tests/unit/test_replica_peers.c
tests_unit_test_replica_peers_LDADD = $(unit_ldadd)

# --- node
node_lab = tests/unit/node_lab.c tests/unit/node_lab_effects.c \
	tests/unit/node_lab_time.c tests/unit/node_lab_parts.h
EXTRA_DIST += tests/unit/node_lab.h
EXTRA_DIST += tests/unit/ike_steps.h tests/unit/node_conf.h tests/unit/node_rules.h \
	tests/unit/redirect_lab.h

UNIT_TESTS += tests/unit/test_node_basic
tests_unit_test_node_basic_SOURCES = tests/unit/test_node_basic.c $(node_lab)
tests_unit_test_node_basic_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_node_childless
tests_unit_test_node_childless_SOURCES = tests/unit/test_node_childless.c $(node_lab)
tests_unit_test_node_childless_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_node_claims
tests_unit_test_node_claims_SOURCES = tests/unit/test_node_claims.c
tests_unit_test_node_claims_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_node_cluster
tests_unit_test_node_cluster_SOURCES = tests/unit/test_node_cluster.c $(node_lab)
tests_unit_test_node_cluster_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_node_dial
tests_unit_test_node_dial_SOURCES = tests/unit/test_node_dial.c $(node_lab)
tests_unit_test_node_dial_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_node_due
tests_unit_test_node_due_SOURCES = tests/unit/test_node_due.c
tests_unit_test_node_due_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_node_knob
tests_unit_test_node_knob_SOURCES = tests/unit/test_node_knob.c $(node_lab)
tests_unit_test_node_knob_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_node_nat
tests_unit_test_node_nat_SOURCES = tests/unit/test_node_nat.c $(node_lab)
tests_unit_test_node_nat_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_node_rekey
tests_unit_test_node_rekey_SOURCES = tests/unit/test_node_rekey.c $(node_lab)
tests_unit_test_node_rekey_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_node_reauth
tests_unit_test_node_reauth_SOURCES = tests/unit/test_node_reauth.c $(node_lab)
tests_unit_test_node_reauth_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_node_silence
tests_unit_test_node_silence_SOURCES = tests/unit/test_node_silence.c $(node_lab)
tests_unit_test_node_silence_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_node_lapse
tests_unit_test_node_lapse_SOURCES = tests/unit/test_node_lapse.c tests/unit/pki_lab.c \
	$(node_lab)
tests_unit_test_node_lapse_LDADD = $(unit_ldadd)

# Its gateways send to names, which no drain does: what it wraps writes the notice.
UNIT_TESTS += tests/unit/test_node_gateway
tests_unit_test_node_gateway_SOURCES = tests/unit/test_node_gateway.c $(node_lab)
tests_unit_test_node_gateway_LDADD = $(unit_ldadd)
tests_unit_test_node_gateway_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=redirect_to

UNIT_TESTS += tests/unit/test_node_redirect
tests_unit_test_node_redirect_SOURCES = tests/unit/test_node_redirect.c $(node_lab)
tests_unit_test_node_redirect_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_node_names
tests_unit_test_node_names_SOURCES = tests/unit/test_node_names.c $(node_lab)
tests_unit_test_node_names_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_node_refusal
tests_unit_test_node_refusal_SOURCES = tests/unit/test_node_refusal.c $(node_lab)
tests_unit_test_node_refusal_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_node_reload
tests_unit_test_node_reload_SOURCES = tests/unit/test_node_reload.c $(node_lab)
tests_unit_test_node_reload_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_node_vip
tests_unit_test_node_vip_SOURCES = tests/unit/test_node_vip.c $(node_lab)
tests_unit_test_node_vip_LDADD = $(unit_ldadd)

UNIT_TESTS += tests/unit/test_node_worst
tests_unit_test_node_worst_SOURCES = tests/unit/test_node_worst.c $(node_lab)
tests_unit_test_node_worst_LDADD = $(unit_ldadd)

# --- xfrm
UNIT_TESTS += tests/unit/test_xfrm_select
tests_unit_test_xfrm_select_SOURCES = tests/unit/test_xfrm_select.c
tests_unit_test_xfrm_select_LDADD = src/xfrm/libvipsec_xfrm.a $(outer_ldadd) $(CMOCKA_LIBS) $(NL_LIBS)

UNIT_TESTS += tests/unit/test_xfrm_awaiting
tests_unit_test_xfrm_awaiting_SOURCES = tests/unit/test_xfrm_awaiting.c tests/unit/fake_kernel.c \
	tests/unit/fake_kernel.h tests/unit/xfrm_lab.c tests/unit/xfrm_lab.h
tests_unit_test_xfrm_awaiting_LDADD = src/xfrm/libvipsec_xfrm.a src/plane/libvipsec_plane.a \
	$(outer_ldadd) $(CMOCKA_LIBS) $(NL_LIBS) -lpthread

UNIT_TESTS += tests/unit/test_xfrm_early
tests_unit_test_xfrm_early_SOURCES = tests/unit/test_xfrm_early.c
tests_unit_test_xfrm_early_LDADD = src/xfrm/libvipsec_xfrm.a $(outer_ldadd) $(CMOCKA_LIBS) $(NL_LIBS) \
	$(NFTABLES_LIBS)

UNIT_TESTS += tests/unit/test_xfrm_unrouted
tests_unit_test_xfrm_unrouted_SOURCES = tests/unit/test_xfrm_unrouted.c tests/unit/fake_kernel.c \
	tests/unit/fake_kernel.h tests/unit/xfrm_lab.c tests/unit/xfrm_lab.h
tests_unit_test_xfrm_unrouted_LDADD = src/xfrm/libvipsec_xfrm.a src/plane/libvipsec_plane.a \
	$(outer_ldadd) $(CMOCKA_LIBS) $(NL_LIBS) -lpthread

UNIT_TESTS += tests/unit/test_xfrm_acquires
tests_unit_test_xfrm_acquires_SOURCES = tests/unit/test_xfrm_acquires.c tests/unit/fake_kernel.c \
	tests/unit/fake_kernel.h tests/unit/xfrm_lab.c tests/unit/xfrm_lab.h
tests_unit_test_xfrm_acquires_LDADD = src/xfrm/libvipsec_xfrm.a src/plane/libvipsec_plane.a \
	$(outer_ldadd) $(CMOCKA_LIBS) $(NL_LIBS) -lpthread

UNIT_TESTS += tests/unit/test_xfrm_mending
tests_unit_test_xfrm_mending_SOURCES = tests/unit/test_xfrm_mending.c tests/unit/fake_kernel.c \
	tests/unit/fake_kernel.h tests/unit/xfrm_lab.c tests/unit/xfrm_lab.h
tests_unit_test_xfrm_mending_LDADD = src/xfrm/libvipsec_xfrm.a src/plane/libvipsec_plane.a \
	$(outer_ldadd) $(CMOCKA_LIBS) $(NL_LIBS) -lpthread

UNIT_TESTS += tests/unit/test_xfrm_usage
tests_unit_test_xfrm_usage_SOURCES = tests/unit/test_xfrm_usage.c tests/unit/fake_kernel.c \
	tests/unit/fake_kernel.h tests/unit/xfrm_lab.c tests/unit/xfrm_lab.h
tests_unit_test_xfrm_usage_LDADD = src/xfrm/libvipsec_xfrm.a src/plane/libvipsec_plane.a \
	$(outer_ldadd) $(CMOCKA_LIBS) $(NL_LIBS) -lpthread

UNIT_TESTS += tests/unit/test_xfrm_flush
tests_unit_test_xfrm_flush_SOURCES = tests/unit/test_xfrm_flush.c tests/unit/fake_kernel.c \
	tests/unit/fake_kernel.h
tests_unit_test_xfrm_flush_LDADD = src/xfrm/libvipsec_xfrm.a $(outer_ldadd) $(CMOCKA_LIBS) $(NL_LIBS)

UNIT_TESTS += tests/unit/test_xfrm_lock
tests_unit_test_xfrm_lock_SOURCES = tests/unit/test_xfrm_lock.c
tests_unit_test_xfrm_lock_LDADD = src/xfrm/libvipsec_xfrm.a $(outer_ldadd) $(CMOCKA_LIBS) $(NL_LIBS)

UNIT_TESTS += tests/unit/test_xfrm_request
tests_unit_test_xfrm_request_SOURCES = tests/unit/test_xfrm_request.c
tests_unit_test_xfrm_request_CFLAGS = $(AM_CFLAGS) $(NL_CFLAGS)
tests_unit_test_xfrm_request_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=nl_connect,--wrap=nl_recvmsgs
tests_unit_test_xfrm_request_LDADD = src/xfrm/libvipsec_xfrm.a $(outer_ldadd) $(CMOCKA_LIBS) $(NL_LIBS)

UNIT_TESTS += tests/unit/test_xfrm_options
tests_unit_test_xfrm_options_SOURCES = tests/unit/test_xfrm_options.c tests/unit/fake_kernel.c \
	tests/unit/fake_kernel.h tests/unit/xfrm_lab.c tests/unit/xfrm_lab.h
tests_unit_test_xfrm_options_LDADD = src/xfrm/libvipsec_xfrm.a src/plane/libvipsec_plane.a \
	$(outer_ldadd) $(CMOCKA_LIBS) $(NL_LIBS) -lpthread

UNIT_TESTS += tests/unit/test_xfrm_refusals
tests_unit_test_xfrm_refusals_SOURCES = tests/unit/test_xfrm_refusals.c tests/unit/fake_kernel.c \
	tests/unit/fake_kernel.h tests/unit/xfrm_lab.c tests/unit/xfrm_lab.h
tests_unit_test_xfrm_refusals_LDADD = src/xfrm/libvipsec_xfrm.a src/plane/libvipsec_plane.a \
	$(outer_ldadd) $(CMOCKA_LIBS) $(NL_LIBS) -lpthread

UNIT_TESTS += tests/unit/test_xfrm_sad
tests_unit_test_xfrm_sad_SOURCES = tests/unit/test_xfrm_sad.c tests/unit/sad_lab.h \
	tests/unit/fake_kernel.c tests/unit/fake_kernel.h
tests_unit_test_xfrm_sad_LDADD = src/xfrm/libvipsec_xfrm.a $(outer_ldadd) $(CMOCKA_LIBS) $(NL_LIBS)

UNIT_TESTS += tests/unit/test_xfrm_numbers
tests_unit_test_xfrm_numbers_SOURCES = tests/unit/test_xfrm_numbers.c tests/unit/sad_lab.h \
	tests/unit/fake_kernel.c tests/unit/fake_kernel.h
tests_unit_test_xfrm_numbers_LDADD = src/xfrm/libvipsec_xfrm.a $(outer_ldadd) $(CMOCKA_LIBS) $(NL_LIBS)

# --- plane
UNIT_TESTS += tests/unit/test_plane_gate
THREAD_TESTS += tests/unit/test_plane_gate
tests_unit_test_plane_gate_SOURCES = tests/unit/test_plane_gate.c
tests_unit_test_plane_gate_LDADD = src/plane/libvipsec_plane.a $(outer_ldadd) $(CMOCKA_LIBS) $(NL_LIBS) \
	-lpthread

UNIT_TESTS += tests/unit/test_plane_parts
tests_unit_test_plane_parts_SOURCES = tests/unit/test_plane_parts.c
tests_unit_test_plane_parts_LDADD = src/plane/libvipsec_plane.a $(outer_ldadd) $(CMOCKA_LIBS) $(NL_LIBS) \
	-lpthread

UNIT_TESTS += tests/unit/test_routing_rules
tests_unit_test_routing_rules_SOURCES = tests/unit/test_routing_rules.c
tests_unit_test_routing_rules_LDADD = src/routing/libvipsec_routing.a $(outer_ldadd) $(CMOCKA_LIBS) $(NL_LIBS)

UNIT_TESTS += tests/unit/test_plane_path_mtu
tests_unit_test_plane_path_mtu_SOURCES = tests/unit/test_plane_path_mtu.c
tests_unit_test_plane_path_mtu_LDADD = src/plane/libvipsec_plane.a $(outer_ldadd) $(CMOCKA_LIBS) $(NL_LIBS) \
	-lpthread

UNIT_TESTS += tests/unit/test_plane_orders
tests_unit_test_plane_orders_SOURCES = tests/unit/test_plane_orders.c
tests_unit_test_plane_orders_LDADD = src/plane/libvipsec_plane.a $(outer_ldadd) $(CMOCKA_LIBS) $(NL_LIBS) \
	-lpthread

# --- port
UNIT_TESTS += tests/unit/test_port_bus
tests_unit_test_port_bus_SOURCES = tests/unit/test_port_bus.c src/port/bus.c
tests_unit_test_port_bus_CFLAGS = -D_GNU_SOURCE $(AM_CFLAGS) $(COROSYNC_CFLAGS)
tests_unit_test_port_bus_LDADD = $(unit_ldadd)

# --- daemon
UNIT_TESTS += tests/unit/test_daemon_activation
tests_unit_test_daemon_activation_SOURCES = tests/unit/test_daemon_activation.c \
	src/daemon/activation.c src/daemon/store.c
tests_unit_test_daemon_activation_CFLAGS = -D_GNU_SOURCE $(AM_CFLAGS)
tests_unit_test_daemon_activation_LDADD = $(unit_ldadd)

# --- doctor
UNIT_TESTS += tests/unit/test_doctor_judge
tests_unit_test_doctor_judge_SOURCES = tests/unit/test_doctor_judge.c tests/unit/judge_lab.h
tests_unit_test_doctor_judge_LDADD = src/doctor/libvipsec_doctor.a $(unit_ldadd)

UNIT_TESTS += tests/unit/test_doctor_judge_machine
tests_unit_test_doctor_judge_machine_SOURCES = tests/unit/test_doctor_judge_machine.c tests/unit/judge_lab.h
tests_unit_test_doctor_judge_machine_LDADD = src/doctor/libvipsec_doctor.a $(unit_ldadd)

UNIT_TESTS += tests/unit/test_doctor_judge_network
tests_unit_test_doctor_judge_network_SOURCES = tests/unit/test_doctor_judge_network.c tests/unit/judge_lab.h
tests_unit_test_doctor_judge_network_LDADD = src/doctor/libvipsec_doctor.a $(unit_ldadd)

UNIT_TESTS += tests/unit/test_doctor_policies
tests_unit_test_doctor_policies_SOURCES = tests/unit/test_doctor_policies.c tests/unit/fake_kernel.c \
	tests/unit/fake_kernel.h
tests_unit_test_doctor_policies_LDADD = src/doctor/libvipsec_doctor.a src/xfrm/libvipsec_xfrm.a \
	$(outer_ldadd) $(CMOCKA_LIBS) $(NL_LIBS)

UNIT_TESTS += tests/unit/test_doctor_firewall
tests_unit_test_doctor_firewall_SOURCES = tests/unit/test_doctor_firewall.c
tests_unit_test_doctor_firewall_CFLAGS = -D_GNU_SOURCE $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_doctor_firewall_LDADD = src/doctor/libvipsec_doctor.a $(unit_ldadd) $(JANSSON_LIBS)
