// In place of Cooperation.h, for texts whose threads have nothing to do with each other: they are
// one plain loop.

namespace simt
{

typedef void (*Threads)(const void *arguments, unsigned first);

static constexpr bool hasWaited = false;

static inline void beginThread() {}
static inline void runBlock(Threads threads, const void *arguments) { threads(arguments, 0); }

}
