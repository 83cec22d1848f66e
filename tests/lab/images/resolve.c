/*
 * Resolves names through the resolver of the C library this is linked with.
 *
 *   resolve NAME...                    one line a name; status 0 if all were found
 *   resolve --loop INTERVAL_MS NAME... for ever, one JSON line a look-up
 *
 * Either library reports a time-out as EAI_AGAIN, as it does SERVFAIL: TEMPFAIL stands for both,
 * and the milliseconds tell them apart.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now_ms(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static const char *error_class(int status) {
    switch (status) {
    case EAI_NONAME: return "NXDOMAIN";
#ifdef EAI_NODATA
    case EAI_NODATA: return "NODATA";
#endif
    case EAI_AGAIN: return "TEMPFAIL";
    case EAI_FAIL: return "FAIL";
    case EAI_SYSTEM: return "SYSTEM";
    default: return "OTHER";
    }
}

static void append_addresses(const struct addrinfo *list, char *out, size_t size,
                             const char *quote, const char *separator) {
    for (const struct addrinfo *a = list; a; a = a->ai_next) {
        char text[INET6_ADDRSTRLEN];
        const void *address = a->ai_family == AF_INET6
            ? (const void *)&((struct sockaddr_in6 *)a->ai_addr)->sin6_addr
            : (const void *)&((struct sockaddr_in *)a->ai_addr)->sin_addr;
        inet_ntop(a->ai_family, address, text, sizeof text);
        size_t used = strlen(out);
        snprintf(out + used, size - used, "%s%s%s%s", used ? separator : "", quote, text, quote);
    }
}

static int look_up(const char *name, int json) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    char addresses[4096] = "";
    double wall = now_ms(CLOCK_REALTIME), began = now_ms(CLOCK_MONOTONIC);
    int status = getaddrinfo(name, NULL, &hints, &found);
    double ms = now_ms(CLOCK_MONOTONIC) - began;
    if (status == 0) append_addresses(found, addresses, sizeof addresses, json ? "\"" : "",
                                      json ? ", " : " ");
    if (found) freeaddrinfo(found);
    if (!json)
        printf("%s %s (%.1f ms)\n", name, status ? error_class(status) : addresses, ms);
    else if (status == 0)
        printf("{\"time\": %.3f, \"name\": \"%s\", \"ok\": true, \"error\": null, "
               "\"addresses\": [%s], \"ms\": %.1f}\n", wall / 1e3, name, addresses, ms);
    else
        printf("{\"time\": %.3f, \"name\": \"%s\", \"ok\": false, \"error\": \"%s\", "
               "\"addresses\": [], \"ms\": %.1f}\n", wall / 1e3, name, error_class(status), ms);
    fflush(stdout);
    return status != 0;
}

int main(int argc, char **argv) {
    int loop = argc > 2 && strcmp(argv[1], "--loop") == 0;
    int first = loop ? 3 : 1, failed = 0;
    if (first >= argc) {
        fprintf(stderr, "usage: %s [--loop INTERVAL_MS] NAME...\n", argv[0]);
        return 2;
    }
    do {
        double began = now_ms(CLOCK_MONOTONIC);
        for (int i = first; i < argc; i++) failed |= look_up(argv[i], loop);
        double rest = loop ? atof(argv[2]) - (now_ms(CLOCK_MONOTONIC) - began) : 0;
        if (rest > 0) usleep((useconds_t)(rest * 1e3));
    } while (loop);
    return failed;
}
