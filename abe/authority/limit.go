package authority

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A Limit bounds how often one GID may ask. The zero value means one request every two
// seconds with a burst of 20.
type Limit struct {
	Every time.Duration // between requests in the long run
	Burst int           // at once
}

// limiter keeps one token bucket a GID. Buckets that have filled up again are forgotten,
// so it holds no more than the people who asked lately.
type limiter struct {
	limit   Limit
	now     func() time.Time
	mu      sync.Mutex
	buckets map[string]*rate.Limiter
}

// maxBuckets is when full buckets are swept out. GIDs are verified before they get here,
// so nobody can make them up.
const maxBuckets = 4096

func newLimiter(l Limit) *limiter {
	if l.Every <= 0 {
		l.Every = 2 * time.Second
	}
	if l.Burst <= 0 {
		l.Burst = 20
	}
	return &limiter{limit: l, now: time.Now, buckets: map[string]*rate.Limiter{}}
}

func (l *limiter) allow(gid string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b := l.buckets[gid]
	if b == nil {
		if len(l.buckets) >= maxBuckets {
			for g, b := range l.buckets {
				if b.TokensAt(now) >= float64(l.limit.Burst) {
					delete(l.buckets, g)
				}
			}
		}
		b = rate.NewLimiter(rate.Every(l.limit.Every), l.limit.Burst)
		l.buckets[gid] = b
	}
	return b.AllowN(now, 1)
}
