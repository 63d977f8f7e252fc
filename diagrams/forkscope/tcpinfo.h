/* tcpinfo.h - how many bytes a TCP socket has sent and received, from TCP_INFO of tcp(7). */
#ifndef FORKSCOPE_TCPINFO_H
#define FORKSCOPE_TCPINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * info: a struct tcp_info of `size` bytes, as the kernel gives it. sent: bytes, each counted
 * once. received: bytes in order, and one for end of file. Returns false when the kernel is too
 * old to tell (before 4.19).
 */
bool tcpinfo_bytes(const void *info, size_t size, uint64_t *sent, uint64_t *received);

#endif
