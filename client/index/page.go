package index

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Page returns up to limit hits after a bookmark, and the bookmark of the next page, ""
// for the last page. A limit of 0 returns all hits. When newer records arrive between two
// pages, no hit is repeated or left out.
//
// Errors:
//   - [ErrInvalid] if the bookmark is malformed.
func Page(hits []Hit, after string, limit int) (page []Hit, next string, err error) {
	if after != "" {
		mark, err := parseBookmark(after)
		if err != nil {
			return nil, "", err
		}
		i, _ := slices.BinarySearchFunc(hits, mark, func(h, mark Hit) int {
			if c := compareHits(h, mark); c != 0 {
				return c
			}
			return -1
		})
		hits = hits[i:]
	}
	if limit <= 0 || len(hits) <= limit {
		return hits, "", nil
	}
	return hits[:limit], bookmark(hits[limit-1]), nil
}

// bookmark encodes the fields that compareHits compares: day.written.record.hospital.
func bookmark(h Hit) string {
	return fmt.Sprintf("%x.%x.%x.%s", uint32(h.sortDay()), h.Written.Unix(), h.Record, hex.EncodeToString([]byte(h.Home)))
}

func parseBookmark(s string) (Hit, error) {
	bad := fmt.Errorf("bookmark %q: %w", squeezeControls(s), ErrInvalid)
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return Hit{}, bad
	}
	day, err1 := strconv.ParseUint(parts[0], 16, 32)
	written, err2 := strconv.ParseUint(parts[1], 16, 32)
	record, err3 := hex.DecodeString(parts[2])
	home, err4 := hex.DecodeString(parts[3])
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil || len(record) != 16 {
		return Hit{}, bad
	}
	h := Hit{Home: string(home)}
	h.Record = [16]byte(record)
	h.Last = Day(int32(uint32(day)))
	h.Written = time.Unix(int64(written), 0)
	return h, nil
}
