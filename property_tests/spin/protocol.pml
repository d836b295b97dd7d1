/* The protocol of design 3.1 to 3.4, 3.5 and 3.7, once more and by other means: one row, two writers, readers, a reader
   in a snapshot, a writer that is killed, an evicted counter, a store that comes back as it was saved.

   Written from the design, not from the code: it shares nothing with property_tests/explorer. LEVEL is the level of the
   promise; every other macro is a variant, most of them wrong. See __main__.py. */

#ifndef LEVEL
#define LEVEL 2
#endif
#ifndef READERS
#define READERS 2
#endif

#define NONE 0
#define MOST 16

byte clock = 1;      /* the bump clock */
byte gen = 1;        /* the row's generation, NONE: evicted */
byte leases;         /* a bit a writer; bit 2: quarantine */
byte expired;        /* those whose deadline has passed */
byte entry[MOST];    /* version + 1 under each generation, NONE: nothing */
byte db;             /* the committed version */
byte locked;         /* the row lock: writer + 1 */
byte returned;       /* the version that a writer's caller knows of */
byte dead;           /* writers that were killed, as bits */
byte begun;          /* writers that hold a lease and have not committed, as bits */

#define BIT (1 << me)

#ifdef HASTY
#define IN_TIME true
#else
#define IN_TIME ((leases & begun) == 0)
#endif

inline bump() { clock++; gen = clock }

inline check(given) {
  assert(given >= (LEVEL == 1 -> known : seen))
}

proctype Writer(byte me) {
  byte mine;

  /* The first is a transaction: the row lock comes before the lease. The second writes in autocommit: after it. */
  if
  :: me == 0 -> atomic { locked == 0 -> locked = me + 1 }
  :: else
  fi;
#ifdef BUMP_BEFORE
  atomic { if :: gen != NONE -> bump() :: else fi };
#endif
#ifndef NO_LEASE
#ifdef ONE_REGISTER
  atomic { leases = BIT; begun = begun | BIT }
#else
  atomic { leases = leases | BIT; begun = begun | BIT }
#endif
#endif
  if
  :: atomic { locked == 0 || locked == me + 1 -> db++; mine = db; locked = 0; begun = begun & ~BIT }
#ifdef CRASH
  :: atomic { dead == 0 -> dead = BIT; if :: locked == me + 1 -> locked = 0 :: else fi; begun = begun & ~BIT; goto end }
#endif
  fi;
#ifdef CRASH
  if
  :: skip
  :: atomic { dead == 0 -> dead = BIT; goto end }
  fi;
#endif
  atomic {
    leases = leases & ~BIT;
    expired = expired & ~BIT;
    if :: gen != NONE -> bump() :: else fi;
    if :: returned < mine -> returned = mine :: else fi
  };
end: skip
}

proctype Reader() {
  byte g, v, known, seen;

  atomic {
    known = returned; seen = db;
#ifdef VECTOR_LATE
    g = gen;
#else
    if
    :: gen != NONE && leases == 0 -> g = gen
    :: else -> goto ensure
    fi
#endif
  };
  goto look;
ensure:
  atomic {
    if
    :: gen == NONE ->
#ifdef STARTS_AT_1
       gen = 1
#else
       bump()
#endif
    :: else
    fi;
    if
    :: leases & expired ->
       leases = leases & ~expired; expired = 0;
#ifndef NO_BUMP_AT_END
       bump()
#endif
    :: else
    fi;
    if :: leases -> goto bypass :: else -> g = gen fi
  };
look:
  atomic {
    if
    :: entry[g] != NONE && g != NONE -> v = entry[g] - 1; check(v); goto end
    :: else
    fi
  };
  v = db;
#ifdef VECTOR_LATE
  g = gen;
#endif
  atomic { if :: g != NONE -> entry[g] = v + 1 :: else fi; check(v); goto end };
bypass:
  v = db; check(v);
end: skip
}

#ifdef SNAPSHOT
proctype Snapshot() {
  byte g, before, shown;

  before = clock;
  shown = db;
  atomic {
    if :: gen == NONE || leases != 0 -> goto end :: else -> g = gen fi;
#ifndef NO_RULE
    if :: g > before -> goto end :: else fi;
#endif
#ifndef TWO_TRIPS
    if :: entry[g] != NONE -> assert(entry[g] - 1 == shown); goto end :: else fi
#endif
  };
#ifdef TWO_TRIPS
  atomic { if :: entry[g] != NONE -> assert(entry[g] - 1 == shown); goto end :: else fi };
#endif
  entry[g] = shown + 1;
end: skip
}
#endif

/* What happens around them. */
active proctype Around() {
  byte saved_gen, saved_leases;
  byte saved_clock;

  do
#ifdef EXPIRY
  /* A COMMIT takes effect within its lease, unless HASTY. */
  :: atomic { leases != 0 && expired != leases && IN_TIME -> expired = leases }
#endif
#ifdef EVICT
  :: atomic { gen != NONE && leases == 0 -> gen = NONE; break }
#endif
#ifdef EVICT_LEASED
  :: atomic { gen != NONE -> gen = NONE; leases = 0; expired = 0; break }
#endif
#ifdef RESTART
  :: atomic { saved_clock == 0 -> saved_clock = clock; saved_gen = gen; saved_leases = leases }
  /* Time has passed: the clock that comes back gives readings that were never given. */
  :: atomic { saved_clock != 0 && clock != saved_clock ->
       gen = saved_gen; leases = saved_leases; expired = 0;
#ifdef FENCE
       bump();
#endif
#ifdef QUARANTINE
       leases = leases | 4;
#endif
       saved_clock = 0; break }
#endif
  :: break
  od;
#ifdef RESTART
  /* The quarantine runs out, but not before the leases that were lost. */
  if :: atomic { leases != 0 && begun == 0 -> expired = leases } :: skip fi
#endif
}

init {
  byte n;
  atomic {
    entry[1] = 1;
    run Writer(0);
    run Writer(1);
    do :: n < READERS -> run Reader(); n++ :: else -> break od;
#ifdef SNAPSHOT
    run Snapshot()
#endif
  }
}
