/* Holds a pod's namespaces open and buries the orphans of a shared process namespace. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void leave(int signal) { (void)signal; _exit(0); }

static void bury(int signal) {
    (void)signal;
    while (waitpid(-1, NULL, WNOHANG) > 0) {}
}

int main(void) {
    sigaction(SIGINT, &(struct sigaction){.sa_handler = leave}, NULL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = leave}, NULL);
    sigaction(SIGCHLD, &(struct sigaction){.sa_handler = bury, .sa_flags = SA_NOCLDSTOP}, NULL);
    for (;;) pause();
}
