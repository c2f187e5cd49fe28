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
