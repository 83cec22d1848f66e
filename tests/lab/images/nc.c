/* `nc` with the options of Alpine's, which Tailscale's image has: Debian's busybox is built with another.
 *
 *   nc -lk -s ADDRESS -p PORT -e PROGRAM [ARGUMENT...]   runs the program for each connection, on its standard streams
 *   nc local:SOCKET PORT                                 copies standard input to a Unix socket, and its answer back
 */
#include <err.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void serve(const char *address, const char *port, char **program) {
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *at;
    if (getaddrinfo(address, port, &hints, &at)) errx(1, "bad address %s", address);
    int on = 1, listener = socket(at->ai_family, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, at->ai_addr, at->ai_addrlen) || listen(listener, 1)) err(1, "%s port %s", address, port);
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        if (connection < 0) err(1, "accept");
        if (fork() == 0) {
            signal(SIGCHLD, SIG_DFL);
            for (int fd = 0; fd < 2; fd++) dup2(connection, fd);
            close(connection);
            close(listener);
            execvp(program[0], program);
            err(1, "%s", program[0]);
        }
        close(connection);
    }
}

static void copy(int from, int to) {
    char block[65536];
    for (ssize_t size; (size = read(from, block, sizeof block)) > 0;)
        for (ssize_t written = 0, now; written < size; written += now)
            if ((now = write(to, block + written, size - written)) < 0) exit(1);
}

static void ask(const char *path) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    strncpy(at.sun_path, path, sizeof at.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof at)) err(1, "%s", path);
    copy(0, fd);
    shutdown(fd, SHUT_WR);
    copy(fd, 1);
}

int main(int argc, char **argv) {
    if (argc == 3 && strncmp(argv[1], "local:", 6) == 0) ask(argv[1] + 6);
    else if (argc > 7 && !strcmp(argv[1], "-lk") && !strcmp(argv[2], "-s") && !strcmp(argv[4], "-p") && !strcmp(argv[6], "-e"))
        serve(argv[3], argv[5], argv + 7);
    else errx(1, "only -lk -s ADDRESS -p PORT -e PROGRAM..., and local:SOCKET PORT");
}
