/* A recurrent network in C, forward and backward through time, that answers the cases of rnncheck.
 *
 *     cc -O2 -o rnn rnn.c -lm            rnncheck check "exec:./rnn"
 *     cc -O2 -DFAULT -o rnn rnn.c -lm    the same with one mistake, for the judge to find
 *
 *     a_t = W_xh x_t + b_h + W_hh h_{t-1},    h_t = f(a_t),    logits_t = W_hy h_t + b_y
 *
 * One JSON object a line comes in, one goes out. Matrices lie row by row; a state h[t] holds B rows of H numbers.
 */

#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int T, B, I, H, V, ignore_index, chunk; /* chunk: gradients do not cross the cut after every so many steps */
    int relu, mean, none, dense;
    double *W_xh, *W_hh, *b_h, *W_hy, *b_y, *x, *y, *h0, *dloss;
} Case;

typedef struct {
    double *h, *logits, *loss, *dlogits, *dh, *da, *dh0, *dx;
    double *dW_xh, *dW_hh, *db_h, *dW_hy, *db_y;
} Trace;

static double *zeros(long n) { return calloc(n > 0 ? n : 1, sizeof(double)); }

/* --- reading: the keys of a case are known, so looking for "key": is all the parser that it takes */

static const char *find(const char *line, const char *key) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *found = strstr(line, quoted);
    return found ? found + strlen(quoted) : NULL;
}

/* Read all numbers of the array under `key`, or NULL; `depth` is the number of its axes. */
static double *numbers(const char *line, const char *key, int *depth) {
    const char *p = find(line, key);
    if (!p) return NULL;
    while (*p == ' ') p++;
    long n = 0, room = 16;
    double *found = zeros(room);
    int open = 0, axes = 0;
    do {
        if (*p == '[') {
            if (++open > axes) axes = open;
            p++;
        } else if (*p == ']') {
            open--;
            p++;
        } else if (*p == ',' || *p == ' ') {
            p++;
        } else {
            if (n == room) found = realloc(found, (room *= 2) * sizeof(double));
            char *end;
            found[n++] = strtod(p, &end);
            if (end == p) exit(1); /* no number where one belongs */
            p = end;
        }
    } while (open > 0);
    if (depth) *depth = axes;
    return found;
}

static int whole(const char *line, const char *key, int otherwise) {
    const char *p = find(line, key);
    return p ? (int)strtol(p, NULL, 10) : otherwise;
}

static int says(const char *line, const char *key, const char *word) {
    const char *p = find(line, key);
    if (!p) return 0;
    while (*p == ' ') p++;
    return *p == '"' && strncmp(p + 1, word, strlen(word)) == 0 && p[1 + strlen(word)] == '"';
}

static Case read_case(const char *line) {
    Case c = {.T = whole(line, "T", 0), .B = whole(line, "B", 0)};
    int depth = 0;
    c.I = whole(line, "I", 0), c.H = whole(line, "H", 0), c.V = whole(line, "V", 0);
    c.ignore_index = whole(line, "ignore_index", -100);
    c.chunk = says(line, "bptt", "chunked") ? whole(line, "k", c.T) : c.T;
    c.relu = says(line, "nonlinearity", "relu");
    c.mean = says(line, "reduction", "mean"), c.none = says(line, "reduction", "none");
    c.W_xh = numbers(line, "W_xh", NULL), c.W_hh = numbers(line, "W_hh", NULL), c.b_h = numbers(line, "b_h", NULL);
    c.W_hy = numbers(line, "W_hy", NULL), c.b_y = numbers(line, "b_y", NULL);
    c.x = numbers(line, "x", &depth), c.y = numbers(line, "y", NULL);
    c.h0 = numbers(line, "h0", NULL), c.dloss = numbers(line, "dloss", NULL);
    c.dense = depth == 3;
    return c;
}

/* --- the network */

/* The i-th input of sequence b at step t: of a vector, or of the one-hot vector of a token; no token is all zeros. */
static double input(const Case *c, int t, int b, int i) {
    long at = (long)t * c->B + b;
    return c->dense ? c->x[at * c->I + i] : (int)c->x[at] == i;
}

static const double *state(const Case *c, const Trace *r, int t, int b) { /* t = -1 is h0 */
    static const double *none = NULL;
    if (t >= 0) return r->h + ((long)t * c->B + b) * c->H;
    return c->h0 ? c->h0 + (long)b * c->H : none;
}

static void forward(const Case *c, Trace *r) {
    for (int t = 0; t < c->T; t++)
        for (int b = 0; b < c->B; b++) {
            long at = (long)t * c->B + b;
            const double *previous = state(c, r, t - 1, b);
            double *h = r->h + at * c->H, *z = r->logits + at * c->V;
            for (int i = 0; i < c->H; i++) {
                double a = c->b_h ? c->b_h[i] : 0;
                for (int j = 0; j < c->I; j++) a += c->W_xh[i * c->I + j] * input(c, t, b, j);
                for (int j = 0; previous && j < c->H; j++) a += c->W_hh[i * c->H + j] * previous[j];
                h[i] = !c->relu ? tanh(a) : a > 0 ? a : 0;
            }
            for (int v = 0; v < c->V; v++) {
                z[v] = c->b_y ? c->b_y[v] : 0;
                for (int i = 0; i < c->H; i++) z[v] += c->W_hy[v * c->H + i] * h[i];
            }
        }
}

/* Cross-entropy and, right with it, its gradient: dlogits = p - onehot(y). */
static void cross_entropy(const Case *c, Trace *r) {
    long steps = (long)c->T * c->B, kept = 0;
    for (long at = 0; at < steps; at++) kept += (int)c->y[at] != c->ignore_index;
    double share = c->mean ? 1.0 / kept : 1.0;
    for (long at = 0; at < steps; at++) {
        int y = (int)c->y[at];
        if (y == c->ignore_index) continue; /* no loss, no gradient */
        const double *z = r->logits + at * c->V;
        double largest = z[0], total = 0;
        for (int v = 1; v < c->V; v++) largest = fmax(largest, z[v]);
        for (int v = 0; v < c->V; v++) total += exp(z[v] - largest);
        r->loss[c->none ? at : 0] += share * (log(total) + largest - z[y]);
        for (int v = 0; v < c->V; v++) {
            double upstream = c->dloss ? c->dloss[c->none ? at : 0] : 1;
            r->dlogits[at * c->V + v] = share * upstream * (exp(z[v] - largest) / total - (v == y));
        }
    }
}

static void backward(const Case *c, Trace *r) {
    for (int t = c->T - 1; t >= 0; t--)
        for (int b = 0; b < c->B; b++) {
            long at = (long)t * c->B + b;
            const double *h = r->h + at * c->H, *previous = state(c, r, t - 1, b);
            double *dz = r->dlogits + at * c->V, *dh = r->dh + at * c->H, *da = r->da + at * c->H;
            for (int v = 0; v < c->V; v++) {
                r->db_y[v] += dz[v];
                for (int i = 0; i < c->H; i++) {
                    r->dW_hy[v * c->H + i] += dz[v] * h[i];
                    dh[i] += c->W_hy[v * c->H + i] * dz[v]; /* dh holds already what came from step t + 1 */
                }
            }
            double *before = t == 0 ? r->dh0 + (long)b * c->H : t % c->chunk ? dh - (long)c->B * c->H : NULL;
            for (int i = 0; i < c->H; i++) {
                da[i] = dh[i] * (c->relu ? h[i] > 0 : 1 - h[i] * h[i]);
                r->db_h[i] += da[i];
                for (int j = 0; j < c->I; j++) {
                    r->dW_xh[i * c->I + j] += da[i] * input(c, t, b, j);
                    r->dx[at * c->I + j] += c->W_xh[i * c->I + j] * da[i];
                }
                for (int j = 0; j < c->H; j++) {
                    if (previous) r->dW_hh[i * c->H + j] += da[i] * previous[j];
#ifdef FAULT /* W_hh is not transposed on the way back */
                    if (before) before[i] += c->W_hh[i * c->H + j] * dh[j] * (c->relu ? h[j] > 0 : 1 - h[j] * h[j]);
#else
                    if (before) before[j] += c->W_hh[i * c->H + j] * da[i];
#endif
                }
            }
        }
}

/* --- writing */

/* Write one array as nested lists; `sizes` ends with 0. JSON has no word for what is not finite: it is a string. */
static const double *write_array(const double *p, const int *sizes) {
    if (*sizes == 0) {
        if (isfinite(*p)) printf("%.17g", *p);
        else printf("\"%s\"", isnan(*p) ? "NaN" : *p > 0 ? "Infinity" : "-Infinity");
        return p + 1;
    }
    putchar('[');
    for (int i = 0; i < *sizes; i++) {
        if (i) putchar(',');
        p = write_array(p, sizes + 1);
    }
    putchar(']');
    return p;
}

#define WRITE(name, ...) (printf(", \"" #name "\": "), write_array(r.name, (int[]){__VA_ARGS__, 0}))

/* The id is a number or a string; the answer repeats it as it came. */
static void begin_answer(const char *line) {
    const char *id = find(line, "id");
    printf("{\"id\":%.*s, ", (int)strcspn(id, ",}"), id);
}

static void answer(const char *line) {
    Case c = read_case(line);
    long steps = (long)c.T * c.B;
    Trace r = {zeros(steps * c.H), zeros(steps * c.V), zeros(steps), zeros(steps * c.V), zeros(steps * c.H),
               zeros(steps * c.H), zeros(c.B * c.H), zeros(steps * c.I), zeros(c.H * c.I), zeros(c.H * c.H),
               zeros(c.H), zeros(c.V * c.H), zeros(c.V)};
    forward(&c, &r);
    cross_entropy(&c, &r);
    backward(&c, &r);
    begin_answer(line);
    printf("\"trace\": {\"loss\": ");
    write_array(r.loss, c.none ? (int[]){c.T, c.B, 0} : (int[]){0});
    WRITE(h, c.T, c.B, c.H), WRITE(logits, c.T, c.B, c.V), WRITE(dlogits, c.T, c.B, c.V), WRITE(dW_hy, c.V, c.H);
    WRITE(dh, c.T, c.B, c.H), WRITE(da, c.T, c.B, c.H), WRITE(dW_hh, c.H, c.H), WRITE(dW_xh, c.H, c.I);
    WRITE(dh0, c.B, c.H);
    if (c.b_h) WRITE(db_h, c.H);
    if (c.b_y) WRITE(db_y, c.V);
    if (c.dense) WRITE(dx, c.T, c.B, c.I);
    puts("}}");
    double *all[] = {c.W_xh, c.W_hh, c.b_h, c.W_hy, c.b_y, c.x, c.y, c.h0, c.dloss, r.h, r.logits, r.loss, r.dlogits,
                     r.dh, r.da, r.dh0, r.dx, r.dW_xh, r.dW_hh, r.db_h, r.dW_hy, r.db_y};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

int main(void) {
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        int f = says(line, "nonlinearity", "tanh") || says(line, "nonlinearity", "relu");
        if (!says(line, "kind", "rnn") || says(line, "bptt", "windowed") || !f) {
            begin_answer(line);
            puts("\"not_shown\": \"tanh and ReLU, forward and backward, full or in chunks, is all that is here\"}");
        } else {
            answer(line);
        }
        fflush(stdout); /* the judge waits for this line before it sends the next */
    }
    free(line);
    return 0;
}
