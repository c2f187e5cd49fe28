/* doctor/look_ports.c - who holds UDP 500 and 4500: sockets from /proc/net, their holders
 * from the descriptors of all processes.
 */
#include "doctor/look.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/iana.h"

struct inodes {
	unsigned long at[FACTS_MAX]; /* of the socket with the same index */
};

/* 32-bit words in the machine's own order. */
static bool read_hex(const char *text, size_t octets, struct addr *out)
{
	uint8_t bytes[16];

	for (size_t i = 0; i < octets; i += 4) {
		char word[9] = "";
		memcpy(word, text + 2 * i, 8);
		uint32_t value = (uint32_t)strtoul(word, NULL, 16);
		memcpy(bytes + i, &value, sizeof(value));
	}
	*out = addr_from_bytes(bytes, octets);
	return addr_is_set(out);
}

static void look_sockets(
	const char *path, size_t octets, struct facts_ports *x, struct inodes *inodes)
{
	char line[512], local[64];
	unsigned port;
	unsigned long inode;
	FILE *in = fopen(path, "re");

	while (in && x->n < FACTS_MAX && fgets(line, sizeof(line), in)) {
		struct fact_port *p = &x->at[x->n];
		if (sscanf(line,
			    "%*d: %63[0-9A-Fa-f]:%4x %*s %*s %*s %*s %*s %*s %*s %lu",
			    local, &port, &inode) != 3 ||
			(port != IKE_PORT && port != IKE_NATT_PORT) ||
			strlen(local) != 2 * octets)
			continue;
		*p = (struct fact_port){.port = (uint16_t)port};
		if (!read_hex(local, octets, &p->local))
			continue;
		inodes->at[x->n++] = inode;
	}
	if (in)
		fclose(in);
}

static void take_name(int pid, struct fact_port *p)
{
	char path[64];

	p->pid = pid;
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	if (!look_text(path, p->program, sizeof(p->program)))
		snprintf(p->program, sizeof(p->program), "a program");
	p->program[strcspn(p->program, "\n")] = '\0';
}

static void look_process(int pid, struct facts_ports *x, const struct inodes *inodes)
{
	char path[320], to[64];
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	DIR *fds = opendir(path);

	for (const struct dirent *e; fds && (e = readdir(fds));) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%.20s", pid, e->d_name);
		ssize_t n = readlink(path, to, sizeof(to) - 1);
		unsigned long inode;
		if (n <= 0)
			continue;
		to[n] = '\0';
		if (sscanf(to, "socket:[%lu]", &inode) != 1)
			continue;
		for (size_t i = 0; i < x->n; i++)
			if (inodes->at[i] == inode && x->at[i].pid == 0)
				take_name(pid, &x->at[i]);
	}
	if (fds)
		closedir(fds);
}

void look_ports(const struct patient *p, struct facts_ports *x)
{
	struct inodes inodes;
	DIR *all = NULL;

	x->n = 0;
	x->daemon_pid = p->daemon.pid_alive ? p->daemon.pid : 0;
	x->daemon_there = p->daemon.state == DAEMON_THERE;
	x->n_own = look_own_addrs(p, x->own);
	x->own_any = !p->config || p->config->host_policy != CONFIG_NO_POLICY;
	look_sockets("/proc/net/udp", 4, x, &inodes);
	look_sockets("/proc/net/udp6", 16, x, &inodes);
	if (x->n > 0)
		all = opendir("/proc");
	for (const struct dirent *e; all && (e = readdir(all));)
		if (isdigit((unsigned char)e->d_name[0]))
			look_process(atoi(e->d_name), x, &inodes);
	if (all)
		closedir(all);
}
