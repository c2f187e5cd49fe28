/* doctor/look_machine.c - privileges, the kernel's ESP and its drivers, the TUN: by trying
 * where that leaves nothing behind.
 */
#include "doctor/look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "routing/device.h"
#include "xfrm/algorithm.h"
#include "xfrm/xfrm.h"

void look_privileges(struct facts_privileges *x)
{
	static const char word[] = "\nCapEff:";
	char text[4096];

	x->effective = 0;
	if (!look_text("/proc/self/status", text, sizeof(text)))
		return;
	const char *at = strstr(text, word);
	if (at)
		x->effective = strtoull(at + sizeof(word) - 1, NULL, 16);
}

/* ---- ESP ------------------------------------------------------------------------------ */

static void try_algorithm(struct facts_esp *x, bool ah, enum aead_alg alg)
{
	for (size_t i = 0; i < x->n; i++)
		if (x->at[i].alg == alg && x->at[i].ah == ah)
			return;
	size_t i = x->n++;
	x->at[i].ah = ah;
	x->at[i].alg = alg;
	x->at[i].offered = xfrm_offers(ah, alg, x->at[i].why, sizeof(x->at[i].why));
}

void look_esp(struct patient *p)
{
	const struct config *c = p->config;
	struct facts_esp *x = &p->esp;

	x->configured = c != NULL;
	if (c) {
		x->prefer = c->dataplane.prefer;
		x->has_fallback = c->dataplane.has_fallback;
	}
	for (unsigned i = 0; c && i < c->n_proposals; i++)
		for (unsigned k = 0; k < c->proposals[i].n_esp; k++)
			try_algorithm(x, c->proposals[i].esp[k].ah,
				c->proposals[i].esp[k].encr);
	if (!c) {
		try_algorithm(x, false, AEAD_AES128_GCM16);
		try_algorithm(x, false, AEAD_AES256_GCM16);
	}
	p->in_kernel = c && c->dataplane.prefer == PLANE_KERNEL;
	for (size_t i = 0; i < x->n; i++)
		p->in_kernel = p->in_kernel && x->at[i].offered;
	if (p->daemon.state == DAEMON_THERE)
		p->in_kernel = p->daemon.in_kernel;
}

/* ---- drivers -------------------------------------------------------------------------- */

static bool value_of(const char *line, const char *key, char *out, size_t cap)
{
	size_t len = strlen(key);
	const char *colon = strchr(line, ':');

	if (strncmp(line, key, len) != 0 || !colon || strchr("\t :", line[len]) == NULL)
		return false;
	snprintf(out, cap, "%s", colon[1] == ' ' ? colon + 2 : colon + 1);
	out[strcspn(out, "\n")] = '\0';
	return true;
}

/* Of those that bear the name the one with the highest priority serves. */
static void find_driver(const char *name, char *driver, size_t cap)
{
	char line[256], value[128], this_name[128] = "", this_driver[128] = "";
	long best = -1;
	FILE *in = fopen("/proc/crypto", "re");

	driver[0] = '\0';
	while (in && fgets(line, sizeof(line), in)) {
		if (value_of(line, "name", value, sizeof(value)))
			memcpy(this_name, value, sizeof(this_name));
		else if (value_of(line, "driver", value, sizeof(value)))
			memcpy(this_driver, value, sizeof(this_driver));
		else if (value_of(line, "priority", value, sizeof(value)) &&
			 strcmp(this_name, name) == 0 && strtol(value, NULL, 10) > best) {
			best = strtol(value, NULL, 10);
			snprintf(driver, cap, "%s", this_driver);
		}
	}
	if (in)
		fclose(in);
}

/* "flags" of x86, "Features" of ARM; others say nothing of it here. */
static bool cpu_without_aes(void)
{
	char line[4096];
	FILE *in = fopen("/proc/cpuinfo", "re");
	bool without = false;

	while (in && fgets(line, sizeof(line), in)) {
		if (strncmp(line, "flags", 5) != 0 && strncmp(line, "Features", 8) != 0)
			continue;
		line[strcspn(line, "\n")] = ' ';
		without = strstr(line, " aes ") == NULL;
		break;
	}
	if (in)
		fclose(in);
	return without;
}

/* The kernel lists what has been used: trying the algorithms (look_esp) was that. */
void look_crypto(const struct patient *p, struct facts_crypto *x)
{
	*x = (struct facts_crypto){
		.in_kernel = p->in_kernel, .cpu_without_aes = cpu_without_aes()};
	for (size_t i = 0; i < p->esp.n; i++) {
		const struct algorithm *a = algorithm_of(p->esp.at[i].alg);
		const char *name = a ? a->aead ? a->aead : a->cipher : NULL;
		bool known = name == NULL || strcmp(name, ALGORITHM_NULL) == 0;

		for (size_t k = 0; !known && k < x->n; k++)
			known = strcmp(x->at[k].name, name) == 0;
		if (known)
			continue;
		snprintf(x->at[x->n].name, sizeof(x->at[0].name), "%s", name);
		find_driver(name, x->at[x->n].driver, sizeof(x->at[0].driver));
		if (x->at[x->n].driver[0])
			x->n++;
	}
}

/* ---- the TUN ---------------------------------------------------------------------------- */

void look_tun(const struct patient *p, struct facts_tun *x)
{
	struct device d = {.name = DEVICE_NAME};
	enum device_state state = device_look(&d, 0);

	*x = (struct facts_tun){.needed = !p->in_kernel};
	x->offered = device_offers(x->why, sizeof(x->why));
	x->daemon_uses_it = p->daemon.state == DAEMON_THERE && !p->daemon.in_kernel;
	x->device_up = state != DEVICE_DOWN && state != DEVICE_GONE;
}
