/* tcpinfo.c - struct tcp_info of <linux/tcp.h>, whose header cannot stand beside <netinet/tcp.h>. */
#include "tcpinfo.h"

#include <linux/tcp.h>
#include <string.h>

bool tcpinfo_bytes(const void *info, size_t size, uint64_t *sent, uint64_t *received)
{
    struct tcp_info all;

    if (size < offsetof(struct tcp_info, tcpi_bytes_retrans) + sizeof all.tcpi_bytes_retrans)
        return false;
    memset(&all, 0, sizeof all);
    memcpy(&all, info, size < sizeof all ? size : sizeof all);
    *sent = all.tcpi_bytes_sent - all.tcpi_bytes_retrans;
    *received = all.tcpi_bytes_received;
    return true;
}
