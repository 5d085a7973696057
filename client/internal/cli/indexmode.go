package cli

import (
	"cmp"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/session"
)

// The words of --index.
const (
	indexNow     = "now"
	indexBatched = "batched"
	indexNone    = "none"
)

// checkIndex finds contradictions on the command line.
func (f *sealFlags) checkIndex() error {
	switch f.index {
	case "", indexNow, indexBatched, indexNone:
	default:
		return withHint(usagef("--index %q", f.index), "write now, batched or none")
	}
	if f.noIndex && f.index != "" && f.index != indexNone {
		return usagef("--index %s and --no-index contradict each other", f.index)
	}
	if f.noIndex {
		f.index = indexNone
	}
	if f.scope != "" && f.index == indexNone {
		return usagef("--scope and --index none contradict each other")
	}
	return nil
}

// applyIndex decides where and when to index: what the command line says, then the
// configuration, then the organisation's profile.
func (f *sealFlags) applyIndex(a *app, s *session.Session, r *client.SealRequest) {
	mode := cmp.Or(f.index, a.set.index, s.User.Profile.Index, indexBatched)
	if mode == indexNone && f.scope == "" {
		r.Scope = ""
		return
	}
	r.Scope = cmp.Or(f.scope, a.set.scope)
	r.Index = client.IndexBatched
	if mode == indexNow {
		r.Index = client.IndexNow
		if isTerminal(a.stderr) {
			a.note("with --index now all members can tell which index entries belong to these records, and about how many; not what they say")
		}
	}
}

// noteWaiting says when batched records will be found.
func (a *app) noteWaiting(s *session.Session, r client.SealRequest) {
	if r.Scope == "" || r.Index != client.IndexBatched {
		return
	}
	if waits, err := s.Client.IndexStatus(); err == nil && waits.Records > 0 {
		a.note("%d sealed records wait to be indexed together, and are not found by keywords before; 'chartseal index flush' writes what is due", waits.Records)
	}
}
