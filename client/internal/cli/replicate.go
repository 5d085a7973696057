package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

func (a *app) replicateCommand() *cobra.Command {
	var parallel int
	var budgets []string
	var socket, tokenFile string
	var grace time.Duration
	var scrubRate string
	cmd := &cobra.Command{
		Use:   "replicate",
		Short: "Keep a copy of every sealed record on your hospital's IPFS node",
		Long: `Replicate follows the ledger and pins the ciphertext of every record on your hospital's IPFS node, so
that records survive the failure of any one hospital. It starts at the first block, runs until it is
stopped, and continues there when it is started again. One replicator is enough for a hospital.

Your hospital's own records have no limit. Each other hospital has a budget of 50 GiB. What goes beyond
it is refused, and so is a ciphertext that is larger than the ledger says. Refusals are put on the ledger,
where the other hospital sees them: see 'chartseal replicate status'. After a restart with a larger
budget, refused records are tried again.

Name the socket and a token of kubo's API, and replicate also unpins what was stored and is in no record
after a day, such as the ciphertext of a seal that failed: people who seal cannot unpin. The token is
for block/get, block/put, block/stat, pin/add, pin/ls, pin/rm and pin/update. Give the pins of your own
a name that does not begin with chartseal-: those without a name are unpinned too.

With the socket, replicate also compares what the node keeps with its hashes, once a day and at most at
--scrub-rate, and replaces a damaged block by the good copy of another hospital's node. For that the
token is good for p2p/close, p2p/forward, repo/stat and swarm/peers. 'chartseal replicate status' shows
the result to those who run it.`,
		Example: `  chartseal --user authority@HospitalA replicate --budget 100GiB --budget HospitalB=1TiB
  chartseal --user authority@HospitalA replicate --socket /var/lib/kubo/rpc --token-file replicator-token`,
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
					log.Warn("nothing is unpinned: that needs --socket")
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
				ctx, cancel := context.WithCancel(ctx)
				var beside sync.WaitGroup
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
	cmd.AddCommand(a.replicateStatusCommand())
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

func (a *app) replicateStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "List what hospitals refuse to keep for each other, and the state of your own node",
		Long: `Status lists what hospitals have put on the ledger about copies that they refuse: whose records they
are, how many, and why. A hospital that has refused nothing of another says nothing about it.

With the wallet of the replicator it first says what the last comparison with hashes has found: damaged
blocks that were replaced, payloads of which no node has a good copy, and blocks of no payload, which
wait for kubo to collect them.`,
		Args: takes(0, 0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.withLedger(func(s *session.Session) error {
				all, err := s.Ledger.Keepings(ctx)
				if err != nil {
					return err
				}
				last, now, err := replica.LoadScrub(s.User.Memory())
				switch {
				case errors.Is(err, ledger.ErrNotFound):
				case err != nil:
					return err
				case last == nil:
					a.note("your node is compared with its hashes for the first time: %d payloads so far", now.Payloads)
				default:
					a.note("%s", scrubText(*last))
				}
				return a.printKeepings(all)
			})
		}),
	}
}

func scrubText(s replica.Scrub) string {
	text := fmt.Sprintf("your node at %s: %d payloads in %d blocks, %d damaged blocks replaced, %d blocks of no payload",
		shortTime(s.Ended.UTC().Format(time.RFC3339)), s.Payloads, s.Blocks, s.Replaced, s.Unpinned)
	if n := len(s.Damaged); n > 0 {
		text += fmt.Sprintf("; %d payloads have no good copy, such as %s", n, s.Damaged[0])
	}
	return text
}

func (a *app) printKeepings(all []ledger.Keeping) error {
	if a.global.json {
		if all == nil {
			all = []ledger.Keeping{}
		}
		return a.printJSON(all)
	}
	if len(all) == 0 {
		a.note("no hospital has refused a copy")
		return nil
	}
	t := newTable("TIME", "KEEPER", "HOME", "KEPT", "BUDGET", "REFUSED", "SIZE", "LAST CID", "REASON")
	for _, k := range all {
		last := ledger.Refusal{CID: "-", Reason: "-"}
		if n := len(k.Newest); n > 0 {
			last = k.Newest[n-1]
		}
		t.row(shortTime(k.Time), k.Keeper, k.Home, bytesText(k.Kept), bytesText(k.Budget), strconv.Itoa(k.Refused),
			bytesText(k.RefusedBytes), last.CID, last.Reason)
	}
	return a.printTable(t)
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
