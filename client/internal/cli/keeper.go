package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/fabric"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/ipfs"
	"github.com/chartseal/chartseal/client/replica"
	"github.com/chartseal/chartseal/client/session"
	"github.com/chartseal/chartseal/client/trust"
)

// minGrace leaves a seal time to register what it has stored. It pins again, just before,
// what it stored more than an hour ago.
const minGrace = 3 * time.Hour

// keeperCommand makes the command under a name: keeper, or replicate as in earlier
// versions, whose status has other JSON.
func (a *app) keeperCommand(name string) *cobra.Command {
	var parallel int
	var budgets []string
	var socket, tokenFile string
	var grace time.Duration
	var scrubRate, node, metrics string
	cmd := &cobra.Command{
		Use:    name,
		Hidden: name != "keeper",
		Short:  "Keep copies of sealed records on your hospital's IPFS node",
		Long: `Keeper follows the ledger and pins ciphertexts on your hospital's IPFS node, so that records survive
the failure of any one hospital. The rules on the ledger say how many hospitals keep each record: its
home, and two others unless the consortium has chosen another number. Keeper starts at the first block
and runs until it is stopped. Started again, it continues at the same place. One keeper is enough for
a hospital.

Your hospital's own records have no limit. Each other hospital has a budget of 50 GiB. Keeper refuses
ciphertexts beyond the budget, and those that are larger than the ledger says. It puts refusals on the
ledger, where the other hospital sees them: see 'chartseal keeper status'. After a restart with a larger
budget, it tries refused records again.

With the socket and a token of kubo's API, the keeper also unpins ciphertexts that have been in no
record for a day, such as those of seals that failed: people who seal cannot unpin. The token is for
block/get, block/put, block/stat, pin/add, pin/ls, pin/rm and pin/update. Give your own pins a name
that does not begin with chartseal-: those without a name are unpinned too.

With the socket, the keeper also says on the ledger what it has pinned, takes the place of hospitals
that are lost, unpins what enough others keep instead, and asks their nodes for blocks now and then.
Give it the --node, so that others can ask yours.

With the socket, the keeper also compares what the node keeps with its hashes, once a day and at most at
--scrub-rate, and replaces a damaged block by the good copy of another hospital's node. For that the
token is good for p2p/close, p2p/forward, repo/stat and swarm/peers. 'chartseal keeper status' shows
the result to those who run it.`,
		Example: `  chartseal --user authority@HospitalA keeper --budget 100GiB --budget HospitalB=1TiB
  chartseal --user authority@HospitalA keeper --socket /var/lib/kubo/rpc --token-file keeper-token`,
		GroupID: sectionHospital,
		Args:    takes(0, 0, ""),
		RunE: a.runUntilStopped(func(ctx context.Context, _ []string) error {
			if parallel < 1 {
				return usagef("--parallel must be at least 1")
			}
			if grace < minGrace {
				return usagef("--unregistered-after must be at least %v", minGrace)
			}
			rate, ok := parseSize(scrubRate)
			if !ok || rate < 64<<10 {
				return words.WithHint(usagef("--scrub-rate: %q is no rate", scrubRate), "write at least 64KiB, as in 8MiB: that many bytes are read in a second")
			}
			if node != "" && ipfs.CheckPeerID(node) != nil {
				return words.WithHint(usagef("--node: %.100q is no peer ID", node), "'ipfs id -f \"<id>\"' prints that of your node")
			}
			all, single, err := parseBudgets(budgets)
			if err != nil {
				return err
			}
			return a.withSession(func(s *session.Session) error {
				store := s.Blobs
				if socket != "" {
					token, err := nodeToken(tokenFile)
					if err != nil {
						return err
					}
					if store, err = ipfs.New(ipfs.Options{API: "/unix" + socket, Token: token}); err != nil {
						return err
					}
				}
				if store == nil {
					return fmt.Errorf("the profile of %s names no IPFS node: %w", s.User.Profile.MSP, client.ErrInvalid)
				}
				log := a.log()
				r, err := replica.New(replica.Config{
					Store: store, Memory: s.User.Memory(), Log: log, Parallel: parallel,
					Own: s.User.Profile.MSP, Budget: all, Budgets: single, Report: s.Ledger.ReportKeeping,
					Feed: func(ctx context.Context, handle func(context.Context, []ledger.Payload) error) error {
						return s.Ledger.FollowRecords(ctx, fabric.Following[[]ledger.Payload]{
							Checkpoint: fabric.CheckpointFile(filepath.Join(s.User.Dir(), "state", "replica", "followed")),
							Handle:     handle,
							Interrupted: func(err error, wait time.Duration) {
								log.Warn("ledger lost, trying again", "error", fmt.Sprint(err), "pause", wait.String())
							},
						})
					},
				})
				if err != nil {
					return err
				}
				if socket == "" {
					log.Warn("everything is kept, nothing is unpinned, and no receipts are given: that needs --socket")
					return r.Run(ctx)
				}
				sweeper, err := replica.NewSweeper(replica.SweepConfig{
					Store: store, Memory: s.User.Memory(), Log: log, Grace: grace,
					Registered: func(ctx context.Context, from uint64, handle func([]ledger.Payload, []ledger.End) error) (uint64, error) {
						height, err := s.Height(ctx)
						if err != nil {
							return from, err
						}
						return s.Ledger.ReadRecords(ctx, from, height, handle)
					},
				})
				if err != nil {
					return err
				}
				scrubber, err := replica.NewScrubber(replica.ScrubConfig{Store: store, Memory: s.User.Memory(), Log: log, Rate: rate})
				if err != nil {
					return err
				}
				confirmer, err := confirmer(s, store, log)
				if err != nil {
					return err
				}
				balancer, err := a.balancer(s, r, store, node, metrics)
				if err != nil {
					return err
				}
				ctx, cancel := context.WithCancel(ctx)
				var beside sync.WaitGroup
				beside.Go(func() { balancer.Run(ctx) })
				beside.Go(func() { sweeper.Run(ctx) })
				beside.Go(func() { scrubber.Run(ctx) })
				beside.Go(func() { confirmer.Run(ctx) })
				err = r.Run(ctx)
				cancel()
				beside.Wait()
				return err
			})
		}),
	}
	cmd.Flags().IntVar(&parallel, "parallel", 16, "fetch this many records at a time")
	cmd.Flags().StringArrayVar(&budgets, "budget", nil, "keep this many bytes for each other hospital, as in `SIZE` or MSPID=SIZE (repeatable, default 50GiB)")
	cmd.Flags().StringVar(&socket, "socket", "", "`path` of the Unix socket of kubo's API, instead of the address in the profile")
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "`file` with a token of kubo's API")
	cmd.Flags().DurationVar(&grace, "unregistered-after", replica.DefaultGrace, "unpin what is in no record for this `long`")
	cmd.Flags().StringVar(&scrubRate, "scrub-rate", "8MiB", "compare this many `bytes` a second with their hashes")
	cmd.Flags().StringVar(&node, "node", "", "`peer ID` of the IPFS node, which other hospitals ask for blocks")
	cmd.Flags().StringVar(&metrics, "metrics", "", "write what was compared to this `file`, as metrics for Prometheus")
	cmd.AddCommand(a.keeperStatusCommand(name != "keeper"))
	return cmd
}

// confirmer puts the hospital's receipts for erased records on the ledger.
func confirmer(s *session.Session, store *ipfs.Store, log *slog.Logger) (*replica.Confirmer, error) {
	signer, err := trust.NewSigner(s.User.Signer(), s.User.Certificate)
	if err != nil {
		return nil, err
	}
	return replica.NewConfirmer(replica.ConfirmConfig{
		Memory: s.User.Memory(), Log: log, Pinned: store.Pinned, Stored: store.Stored, Purged: s.Ledger.Purged,
		Erased: func(ctx context.Context, since string) (all []ledger.Erasure, err error) {
			q := ledger.ErasureQuery{Since: since, PageSize: ledger.MaxPageSize}
			for {
				page, err := s.Ledger.AuditErasures(ctx, q)
				if err != nil {
					return nil, err
				}
				all = append(all, page.Erasures...)
				if q.Bookmark = page.Bookmark; q.Bookmark == "" {
					return all, nil
				}
			}
		},
		Payloads: func(ctx context.Context, ids []string) (map[string][]string, error) {
			records, err := s.Ledger.Records(ctx, ids)
			if err != nil {
				return nil, err
			}
			payloads := make(map[string][]string, len(records))
			for _, r := range records {
				for _, v := range r.Versions {
					payloads[r.ID] = append(payloads[r.ID], v.CID)
				}
			}
			return payloads, nil
		},
		Confirm: func(ctx context.Context, receipts []ledger.NewReceipt) error {
			if err := trust.Deposit(ctx, s.Ledger, s.User.Memory(), signer); err != nil {
				return err
			}
			for i, r := range receipts {
				signature, err := signer.Sign(trust.ReceiptStatement(s.Ledger.Channel(),
					ledger.Receipt{Record: r.Record, Keeper: s.Ledger.MSP(), Keys: r.Keys, Payloads: r.Payloads}))
				if err != nil {
					return err
				}
				receipts[i].Signature = signature.String()
			}
			return s.Ledger.Confirm(ctx, receipts)
		},
	})
}

// balancer keeps each record where the rules want it. It writes metrics to a file, if one
// is named.
func (a *app) balancer(s *session.Session, r *replica.Replicator, store *ipfs.Store, node, metrics string) (*replica.Balancer, error) {
	log := a.log()
	return replica.NewBalancer(replica.BalanceConfig{
		Own: s.User.Profile.MSP, Node: node, Replicator: r, Store: store, Memory: s.User.Memory(), Log: log,
		Keep: s.Ledger.Keep, Ask: store.Ask,
		Keepers: func(ctx context.Context) (ledger.Consortium, error) {
			c, err := s.Ledger.Keepers(ctx)
			for i, k := range c.Keepers {
				if ipfs.CheckPeerID(k.Node) != nil {
					c.Keepers[i].Node = "" // another name of another hospital's node, for example
				}
			}
			return c, err
		},
		Read: s.ReadCopies,
		Report: func(status replica.Status) {
			if metrics == "" {
				return
			}
			if err := writeMetrics(metrics, status.Metrics(s.User.Profile.MSP)); err != nil {
				log.Warn("metrics not written", "error", err.Error())
			}
		},
	})
}

// writeMetrics replaces a file as a whole.
func writeMetrics(file string, text []byte) error {
	temp := file + ".new"
	if err := os.WriteFile(temp, text, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, file)
}

// parseBudgets reads budgets, each SIZE for all hospitals or MSPID=SIZE for one.
func parseBudgets(texts []string) (all int64, single map[string]int64, err error) {
	single = make(map[string]int64)
	for _, text := range texts {
		msp, size, one := strings.Cut(text, "=")
		if !one {
			msp, size = "", text
		}
		n, ok := parseSize(size)
		if !ok {
			return 0, nil, words.WithHint(usagef("--budget: %q is not a size", text), "write sizes as in 500MiB, 50GiB or HospitalB=1TiB")
		}
		if one {
			single[msp] = n
		} else {
			all = n
		}
	}
	return all, single, nil
}

// parseSize reads a number of bytes with a binary unit, such as 50GiB.
func parseSize(text string) (int64, bool) {
	for i, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if number, ok := strings.CutSuffix(text, unit); ok {
			n, err := strconv.ParseInt(number, 10, 32)
			return n << (10 * (i + 1)), err == nil && n >= 0
		}
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(text, "B"), 10, 64)
	return n, err == nil && n >= 0
}
