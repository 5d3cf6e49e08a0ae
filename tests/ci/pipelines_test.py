#!/usr/bin/env python3
"""Checks what no machine here can run: the manifests for Kubernetes and the pipelines of GitHub and GitLab."""

import os
import pathlib
import re
import stat
import sys
import tempfile
import subprocess
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CI = ROOT / "ci"


def load(path):
    return yaml.safe_load((CI / path).read_text())


def pod_of(job):
    return job["spec"]["template"]["spec"]


class KubernetesTest(unittest.TestCase):
    def setUp(self):
        self.campaign = load("kubernetes/campaign.yaml")
        self.merge = load("kubernetes/merge.yaml")

    def test_both_are_jobs_whose_pods_share_the_claim_of_results(self):
        for job in (self.campaign, self.merge):
            self.assertEqual((job["apiVersion"], job["kind"]), ("batch/v1", "Job"))
            self.assertRegex(job["metadata"]["name"], r"^[a-z0-9-]{1,63}$")
            pod = pod_of(job)
            self.assertIn(pod["restartPolicy"], ("Never", "OnFailure"))  # a Job takes no other
            volumes = {v["name"]: v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"]}
            self.assertEqual(list(volumes.values()), ["highwater-results"])
            for container in pod["containers"]:
                self.assertEqual([m["mountPath"] for m in container["volumeMounts"]], ["/results"])
                self.assertTrue({m["name"] for m in container["volumeMounts"]} <= set(volumes))
                for variable in container.get("env", []):
                    self.assertIsInstance(variable["value"], str)  # a number is refused
                for argument in container["command"] + container["args"]:
                    self.assertIsInstance(argument, str)

    def test_there_are_as_many_pods_as_shards_and_the_merge_asks_for_all(self):
        spec = self.campaign["spec"]
        self.assertEqual(spec["completionMode"], "Indexed")
        script = pod_of(self.campaign)["containers"][0]["args"][0]
        count = int(re.search(r'ci/shard "\$\(\(JOB_COMPLETION_INDEX \+ 1\)\)/(\d+)" /results', script)[1])
        self.assertEqual(spec["completions"], count)
        self.assertLessEqual(spec["parallelism"], count)
        merge = pod_of(self.merge)["containers"][0]
        self.assertEqual(merge["command"] + merge["args"], ["ci/merge", str(count), "/results"])

    def test_the_campaign_has_the_canary(self):
        self.assertIn(" scenarios/canary ", pod_of(self.campaign)["containers"][0]["args"][0])

    def test_the_merge_is_not_tried_again(self):
        self.assertEqual(self.merge["spec"]["backoffLimit"], 0)


class PipelinesTest(unittest.TestCase):
    def test_github_runs_each_shard_once_and_merges_all(self):
        jobs = load("github/highwater.yml")["jobs"]
        shards = jobs["shard"]["strategy"]["matrix"]["shard"]
        count = len(shards)
        self.assertEqual(shards, list(range(1, count + 1)))
        self.assertFalse(jobs["shard"]["strategy"]["fail-fast"])
        runs = {name: [s["run"] for s in job["steps"] if "run" in s] for name, job in jobs.items()}
        self.assertEqual(runs["test"], ["ci/test"])
        self.assertEqual(runs["shard"], ["ci/campaign --shard ${{ matrix.shard }}/%d --out results" % count])
        self.assertEqual(runs["verdict"], [f"ci/campaign --merge {count} --out results"])
        self.assertEqual(jobs["verdict"]["needs"], "shard")

    def test_gitlab_runs_each_shard_once_and_merges_all(self):
        pipeline = load("gitlab/highwater.yml")
        self.assertEqual(pipeline["test"]["script"], ["ci/test"])
        count = pipeline["shard"]["parallel"]
        self.assertEqual(pipeline["shard"]["script"], ['ci/campaign --shard "$CI_NODE_INDEX/$CI_NODE_TOTAL" --out results'])
        self.assertEqual(pipeline["verdict"]["script"], [f"ci/campaign --merge {count} --out results"])
        stages = pipeline["stages"]
        self.assertLess(stages.index(pipeline["shard"]["stage"]), stages.index(pipeline["verdict"]["stage"]))

    def test_every_script_that_is_called_is_there_and_can_be_run(self):
        named = set()
        for path in CI.rglob("*"):
            if path.is_file():
                named |= set(re.findall(r"(?<![\w/.-])ci/[a-z][a-z/-]*[a-z](?![\w.])", path.read_text()))
        scripts = {n for n in named if (ROOT / n).is_file()}
        self.assertLessEqual({"ci/test", "ci/campaign", "ci/shard", "ci/merge", "ci/slurm/submit"}, scripts)
        for name in scripts:
            self.assertTrue((ROOT / name).stat().st_mode & stat.S_IXUSR, name)
            self.assertEqual(subprocess.run(["bash", "-n", ROOT / name], check=False).returncode if
                             (ROOT / name).read_text().startswith("#!/usr/bin/env bash") else 0, 0, name)


class ShardTest(unittest.TestCase):
    """ci/shard and ci/merge with a program that does what it is told."""

    def run_script(self, arguments, code=0, summary='{"interrupted": false}'):
        program = self.out / "program"
        program.write_text(
            "#!/bin/sh\n"
            f'echo "$@" >>{self.out}/calls\n'
            'while [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; shift; done\n'
            f"mkdir -p $out/run && ln -sfn run $out/latest && echo '{summary}' >$out/latest/summary.json\n"
            f"exit {code}\n")
        program.chmod(0o755)
        environment = dict(os.environ, HIGHWATER=str(program), JOBS="1")
        return subprocess.run([ROOT / arguments[0], *arguments[1:]], env=environment, capture_output=True, check=False).returncode

    def shard(self, index, **more):
        return self.run_script(["ci/shard", f"{index}/2", str(self.out), "scenarios/canary"], **more)

    def merge(self, **more):
        return self.run_script(["ci/merge", "2", str(self.out)], **more)

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.out = pathlib.Path(self.folder.name)

    def test_a_shard_with_results_is_no_verdict(self):
        for code in (0, 1, 3, 5, 10):
            self.assertEqual(self.shard(1, code=code), 0)
        self.assertIn("run scenarios/canary --shard 1/2 ", (self.out / "calls").read_text())

    def test_a_shard_that_could_not_run_fails(self):
        for code in (2, 70, 130):
            self.assertEqual(self.shard(1, code=code), code)

    def test_the_merge_gives_the_verdict_over_all_shards(self):
        self.shard(1)
        self.shard(2)
        for code in (0, 1, 5):
            self.assertEqual(self.merge(code=code), code)
        last = (self.out / "calls").read_text().splitlines()[-1]
        self.assertRegex(last, r"^report \S+/shard-1/run \S+/shard-2/run -o \S+/merged$")

    def test_without_all_shards_there_is_no_good_verdict(self):
        self.shard(2)
        self.assertEqual(self.merge(), 5)
        self.assertEqual(self.merge(code=1), 1)
        self.shard(1, summary='{"interrupted": true}')
        self.assertEqual(self.merge(), 5)
        self.shard(1)
        self.assertEqual(self.merge(), 0)


if __name__ == "__main__":
    sys.exit(unittest.main())
