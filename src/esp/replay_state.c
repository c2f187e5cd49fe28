/* esp/replay_state.c - see replay_state.h. RFC 4303 3.4.3. */
#include "esp/replay_state.h"

uint32_t esp_replay_window(uint32_t packets)
{
	uint32_t window = ESP_REPLAY_MIN;

	if (packets == 0)
		return 0;
	while (window < packets && window < ESP_REPLAY_MAX)
		window *= 2;
	return window;
}

bool esp_replay_state_has(const struct esp_replay_state *s, uint64_t back)
{
	return (s->seen[back / ESP_REPLAY_WORD] >> back % ESP_REPLAY_WORD & 1) != 0;
}

void esp_replay_state_mark(struct esp_replay_state *s, uint64_t back)
{
	s->seen[back / ESP_REPLAY_WORD] |= UINT64_C(1) << back % ESP_REPLAY_WORD;
}

bool esp_replay_state_seen(const struct esp_replay_state *s, uint64_t seq)
{
	if (seq > s->seq_in)
		return false;
	uint64_t back = s->seq_in - seq;
	return back >= s->window || back >= ESP_REPLAY_MAX ||
	       esp_replay_state_has(s, back);
}

void esp_replay_state_join(
	struct esp_replay_state *s, const struct esp_replay_state *other)
{
	struct esp_replay_state both = {
		.seq_out = s->seq_out > other->seq_out ? s->seq_out : other->seq_out,
		.seq_in = s->seq_in > other->seq_in ? s->seq_in : other->seq_in,
		.window = s->window,
	};

	for (uint64_t back = 0; back < both.window && back < both.seq_in; back++)
		if (esp_replay_state_seen(s, both.seq_in - back) ||
			esp_replay_state_seen(other, both.seq_in - back))
			esp_replay_state_mark(&both, back);
	*s = both;
}
