package network

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/chartseal/chartseal/network/fabricca"
)

// The channel's configuration names each consenter of BFT by its enrolment certificate,
// byte for byte. An orderer with another one is a follower, which orders nothing. So a
// new certificate goes into the configuration first, and then to the orderer: one
// consenter after the other, because for as long as it takes to restart, its signatures
// do not count. Until then the new certificate waits in a directory of its own. After the
// end of the old ones there is another way, see renewEnded.
//
// The orderer's TLS certificate may change without the configuration: BFT looks only at
// its root, and Raft at its key, which stays.

// nextIdentity is the directory of an orderer's new certificate and key.
func (n *Network) nextIdentity(org string) string { return n.org(org, "orderer", "next") }

// lenientOrderer lets an orderer take part with a certificate that has ended: its own, as
// patches.yaml says, and those of other orderers that ask for blocks. It is set only by a
// command that replaces ended ones, until it has: never by the watcher or by Start, for
// whoever lets a certificate end would choose when orderers check none. TLS certificates
// are checked as ever.
const lenientOrderer = "ORDERER_GENERAL_AUTHENTICATION_NOEXPIRATIONCHECKS=true"

// consenterEnded tells whether an organisation's orderer is left with an identity that
// has ended.
func (n *Network) consenterEnded(org string) bool {
	end, err := endOf(n.org(org, "orderer", "cert.pem"))
	return err == nil && !end.After(time.Now())
}

// allowEnded makes orderers that are started from now on lenient, if that is needed.
func (n *Network) allowEnded() {
	n.lenient.Store(n.topology.Ordering.Type == BFT && slices.ContainsFunc(n.organisations(), n.consenterEnded))
}

// renewConsenters gives orderers the identities that wait for them. Afterwards every
// orderer with a good identity checks ends again.
func (u *bringUp) renewConsenters(ctx context.Context) error {
	waiting := slices.DeleteFunc(u.organisations(), func(org string) bool { return !u.waits(org) })
	if quorum := u.quorum(); len(waiting) > 0 && len(u.running(u.orderers())) < quorum {
		u.say("fewer than %d orderers run: the new identities of %v wait for the next chartnet up", quorum, waiting)
		return nil
	}
	if ended := slices.DeleteFunc(slices.Clone(waiting), func(org string) bool { return !u.consenterEnded(org) }); len(ended) > 0 {
		renew := func(ctx context.Context) error { return u.renewEnded(ctx, ended) }
		if err := u.phase(ctx, "identities of the orderers", renew); err != nil {
			return err
		}
	}
	for _, org := range u.renewalOrder(ctx, waiting) {
		if !u.waits(org) {
			continue // it was among those before
		}
		renew := func(ctx context.Context) error { return u.renewConsenter(ctx, org) }
		if err := u.phase(ctx, "identity of "+org+"/orderer", renew); err != nil {
			return err
		}
	}
	good := slices.DeleteFunc(u.running(u.orderers()), func(p *process) bool { return u.consenterEnded(p.organisation) })
	if len(good) < u.quorum() {
		return nil
	}
	u.lenient.Store(false)
	for _, p := range good {
		if u.outdated(p) {
			if err := u.restartOrderers(ctx, p.organisation); err != nil {
				return err
			}
		}
	}
	return nil
}

// renewalOrder gives the organisations in the order in which their consenters are
// renewed. A follower comes first: the configuration has its new identity already, and
// the quorum misses it. The leader comes last: its restart costs a change of the view,
// and the new leader might be the next to be restarted.
func (u *bringUp) renewalOrder(ctx context.Context, waiting []string) []string {
	if len(waiting) < 2 {
		return waiting
	}
	order := u.leaderFirst(ctx)
	slices.Reverse(order)
	var followers, others []string
	for _, org := range order {
		if !slices.Contains(waiting, org) {
			continue
		}
		if info, err := u.ordererChannel(ctx, org); err == nil && info.ConsensusRelation == "follower" {
			followers = append(followers, org)
		} else {
			others = append(others, org)
		}
	}
	return append(followers, others...)
}

// waits tells whether an orderer's new identity waits for the configuration. It is not
// replaced by a newer one until it is due itself, because the configuration may name it
// already.
func (n *Network) waits(org string) bool {
	_, err := readIdentity(n.nextIdentity(org), "")
	return err == nil && n.nextEnds(org).After(time.Now())
}

func (n *Network) nextEnds(org string) time.Time {
	end, _ := endOf(filepath.Join(n.nextIdentity(org), "cert.pem"))
	return end
}

func (n *Network) orderers() (all []*process) {
	for _, org := range n.organisations() {
		all = append(all, n.ordererProcess(org))
	}
	return all
}

// leaderFirst gives the organisations, those whose orderers run and lead first, and those
// whose orderers do not run last.
func (n *Network) leaderFirst(ctx context.Context) []string {
	var leaders, followers, stopped []string
	for _, org := range n.organisations() {
		if n.pid(n.ordererProcess(org)) == 0 {
			stopped = append(stopped, org)
			continue
		}
		metrics, err := n.channelMetrics(ctx, org, portOrdererOperations)
		if err == nil && metrics["consensus_BFT_is_leader"]+metrics["consensus_etcdraft_is_leader"] > 0 {
			leaders = append(leaders, org)
		} else {
			followers = append(followers, org)
		}
	}
	return slices.Concat(leaders, followers, stopped)
}

// renewConsenter gives an orderer that still works its next identity.
func (u *bringUp) renewConsenter(ctx context.Context, org string) error {
	if err := u.changeConsenters(ctx, []string{org}); err != nil {
		return err
	}
	if err := u.installNext(org); err != nil {
		return err
	}
	return u.restartOrderers(ctx, org)
}

// renewEnded gives orderers their next identities after the end of the old ones. These
// are certificates for the keys that the orderers have: so their signatures count before
// and after the one update, and all are restarted at once. If the configuration already
// names a certificate for an orderer's key, because an earlier renewal was interrupted,
// the orderer takes that first: without it no orderer might be left to order an update.
func (u *bringUp) renewEnded(ctx context.Context, organisations []string) error {
	config, err := u.channelConfig(ctx)
	if err != nil {
		return err
	}
	var missed []string
	for _, org := range organisations {
		consenter, _, err := consenterOf(config, org)
		if err != nil {
			return err
		}
		own, err := readKeyPair(u.org(org, "orderer"), "")
		if err != nil {
			return err
		}
		named, err := base64.StdEncoding.DecodeString(fmt.Sprint(consenter["identity"]))
		if err != nil {
			return err
		}
		if _, err := tls.X509KeyPair(named, own.Key); err != nil || bytes.Equal(named, own.Certificate) {
			continue
		}
		if err := u.installConsenter(org, fabricca.KeyPair{Certificate: named, Key: own.Key}); err != nil {
			return err
		}
		missed = append(missed, org)
	}
	if len(missed) > 0 {
		if err := u.restartOrderers(ctx, missed...); err != nil {
			return err
		}
	}
	if err := u.changeConsenters(ctx, organisations); err != nil {
		return err
	}
	for _, org := range organisations {
		if err := u.installNext(org); err != nil {
			return err
		}
	}
	return u.restartOrderers(ctx, organisations...)
}

// changeConsenters puts next identities into the channel's configuration.
func (u *bringUp) changeConsenters(ctx context.Context, organisations []string) error {
	next := map[string]fabricca.KeyPair{}
	tlsCertificates := map[string][]byte{}
	for _, org := range organisations {
		var err, tlsErr error
		next[org], err = readKeyPair(u.nextIdentity(org), "")
		tlsCertificates[org], tlsErr = os.ReadFile(u.org(org, "orderer", "tls-cert.pem"))
		if err := errors.Join(err, tlsErr); err != nil {
			return err
		}
	}
	return u.updateChannel(ctx, u.organisations(), func(config object) error {
		for _, org := range organisations {
			if err := setConsenter(config, org, next[org].Certificate, tlsCertificates[org]); err != nil {
				return err
			}
		}
		return nil
	})
}

// installNext makes an orderer's next identity its own.
func (u *bringUp) installNext(org string) error {
	next, err := readKeyPair(u.nextIdentity(org), "")
	if err != nil {
		return err
	}
	if err := u.installConsenter(org, next); err != nil {
		return err
	}
	return os.RemoveAll(u.nextIdentity(org)) // last: a repetition comes to the same
}

func (u *bringUp) installConsenter(org string, pair fabricca.KeyPair) error {
	orderer := slices.IndexFunc(u.nodes(org), func(id identity) bool { return id.kind == "orderer" })
	return u.installIdentity(org, u.nodes(org)[orderer], pair)
}

// setConsenter changes the certificates of an organisation's consenter, in the mapping
// and in the policy by which blocks are valid.
func setConsenter(config object, org string, identity, tls []byte) error {
	consenter, principal, err := consenterOf(config, org)
	if err != nil {
		return err
	}
	text := base64.StdEncoding.EncodeToString
	if consenter["identity"] == text(identity) {
		return nil
	}
	consenter["identity"], principal["id_bytes"] = text(identity), text(identity)
	consenter["client_tls_cert"], consenter["server_tls_cert"] = text(tls), text(tls)
	return nil
}

// consenterOf finds an organisation's consenter in the mapping, and its identity in the
// policy by which blocks are valid. Fabric demands the same order in both.
func consenterOf(config object, org string) (consenter, principal object, err error) {
	orderers, err := dig(config, "channel_group", "groups", "Orderer", "values", "Orderers", "value")
	if err != nil {
		return nil, nil, err
	}
	policy, err := dig(config, "channel_group", "groups", "Orderer", "policies", "BlockValidation", "policy", "value")
	if err != nil {
		return nil, nil, err
	}
	mapping, _ := orderers["consenter_mapping"].([]any)
	principals, _ := policy["identities"].([]any)
	i := slices.IndexFunc(mapping, func(c any) bool { consenter, _ := c.(object); return consenter["msp_id"] == org })
	if i < 0 || len(principals) != len(mapping) {
		return nil, nil, fmt.Errorf("the channel's configuration has %d consenters and %d signers of blocks, and %s at %d", len(mapping), len(principals), org, i)
	}
	principal, err = dig(principals[i], "principal")
	return mapping[i].(object), principal, err
}

// restartOrderers restarts those that run of some organisations' orderers at once, and
// waits until they take part again.
func (u *bringUp) restartOrderers(ctx context.Context, organisations ...string) error {
	running := slices.DeleteFunc(u.running(u.orderers()), func(p *process) bool { return !slices.Contains(organisations, p.organisation) })
	if len(running) == 0 {
		return nil
	}
	if err := u.halt(ctx, running); err != nil {
		return err
	}
	var again []*process
	for _, p := range running {
		again = append(again, u.ordererProcess(p.organisation)) // its settings may have changed
	}
	if err := u.startEach(ctx, again); err != nil {
		return err
	}
	return u.awaitConsenters(ctx)
}

// awaitConsenters waits until all orderers that run are consenters and have the blocks
// that one of them has now. Those that lack a good identity may be none. On a channel
// without traffic, it makes some: an orderer that was restarted misses the first message
// of each other one, and asks for the block only when it sees another.
func (u *bringUp) awaitConsenters(ctx context.Context) error {
	nudged := time.Now()
	u.nudge(ctx)
	var goal uint64
	for _, p := range u.running(u.orderers()) {
		if h, err := p.height(ctx); err == nil {
			goal = max(goal, h)
		}
	}
	return u.retry(ctx, "wait for the orderers", func(ctx context.Context) error {
		for _, p := range u.running(u.orderers()) {
			if u.waits(p.organisation) || u.consenterEnded(p.organisation) {
				continue
			}
			info, err := u.ordererChannel(ctx, p.organisation)
			if err != nil {
				return err
			}
			if info.Status != "active" || info.ConsensusRelation != "consenter" || info.Height < goal {
				if time.Since(nudged) > time.Second {
					u.nudge(ctx)
					nudged = time.Now()
				}
				return fmt.Errorf("%s is a %s, %s, at %d of %d blocks", p.name(), info.ConsensusRelation, info.Status, info.Height, goal)
			}
		}
		return nil
	})
}

// nudge has the leader order a transaction that only reads. It may fail, as one of a
// client may.
func (u *bringUp) nudge(ctx context.Context) {
	peers := slices.DeleteFunc(u.hospitalNames(), func(org string) bool { return u.pid(u.peerProcess(org)) == 0 })
	if len(peers) < 2 {
		return // too few endorsements
	}
	args := append([]string{"chaincode", "invoke", "-C", u.topology.Channel, "-n", u.topology.Chaincode, "-c", `{"Args":["scope:List"]}`},
		u.ordererFlagsAt(peers[0], u.leaderFirst(ctx)[0])...)
	for _, org := range peers[:2] {
		args = append(args, "--peerAddresses", u.address(org, portPeer), "--tlsRootCertFiles", u.tlsRoot(org))
	}
	u.peerCommand(ctx, peers[0], args...)
}

func (n *Network) hospitalNames() (names []string) {
	for _, h := range n.topology.Hospitals {
		names = append(names, h.Name)
	}
	return names
}

// hasVariable tells whether a process has NAME=VALUE in its environment.
func hasVariable(pid int, variable string) bool {
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil && slices.ContainsFunc(bytes.Split(environ, []byte{0}), func(v []byte) bool { return string(v) == variable })
}
