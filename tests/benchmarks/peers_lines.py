"""What is run beside peers: each work has lines, ours first.

A line is who, and code. Who is a language and a package, whose version is recorded; R loads it.
Code gives `run`, which is timed, and `check`, a number of what was found that should agree.
"""

from __future__ import annotations

#: Simulated units: 20 covariates, a third of them 0 or 1, and 152 authorities. The third argument
#: is how strongly covariates select: strong selection leaves few near neighbours to many treated.
MAKE = """
import sys
import numpy as np, pandas as pd
rng = np.random.default_rng(1)
treated, path, strength = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
size = 4 * treated
area = rng.integers(0, 152, size)
linear = 0.2 * rng.normal(size=152)[area]
held = {}
for place in range(20):
    one = rng.normal(size=size) if place % 3 else (rng.random(size) < 0.3).astype(float)
    linear += rng.normal() * strength * one
    held[f"x{place}"] = one
linear += rng.logistic(size=size)
arm = linear >= np.partition(linear, size - treated)[size - treated]
held |= {"treated": arm.astype(np.int64), "y": linear + rng.normal(size=size), "area": area}
frame = pd.DataFrame(held, copy=False)
frame.to_parquet(path + ".parquet")
frame.to_csv(path + ".csv", index=False, float_format="%.10g")
"""
PYTHON = """
import json, resource, sys, time
from importlib.metadata import version
import pandas as pd
frame = pd.read_parquet(sys.argv[1] + ".parquet")
names = [f"x{{place}}" for place in range(20)]
{code}
rounds = int(sys.argv[2])
run()
times, used = [], []
for _ in range(rounds):
    start, begun = time.perf_counter(), time.process_time()
    found = run()
    times.append(time.perf_counter() - start)
    used.append(time.process_time() - begun)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({{"times": times, "used": used, "peak": peak, "check": float(check(found)),
                   "version": version("{package}")}}))
"""
R = """
suppressMessages({{library(data.table); library({package})}})
asked <- commandArgs(TRUE)
d <- as.data.frame(fread(paste0(asked[1], ".csv"), nThread = 2))
f <- reformulate(paste0("x", 0:19), "treated")
{code}
invisible(run())
times <- used <- numeric(0)
for (i in seq_len(as.integer(asked[2]))) {{
  start <- proc.time(); found <- run(); taken <- proc.time() - start
  times <- c(times, taken[["elapsed"]]); used <- c(used, taken[[1]] + taken[[2]])
}}
peak <- as.numeric(sub("\\\\D*(\\\\d+).*", "\\\\1", grep("VmHWM", readLines("/proc/self/status"),
                                                     value = TRUE))) / 1024
cat(sprintf(paste0('{{"times": [%s], "used": [%s], "peak": %.1f, "check": %.10g, ',
                   '"version": "%s, R %s"}}\\n'),
            paste(times, collapse = ", "), paste(used, collapse = ", "), peak, check(found),
            packageVersion("{package}"), getRversion()))
"""
PAIRS = """
import tfeval as tf
def run():
    return tf.match(tf.study(frame, covariates=names{roles}){more})
def check(found):
    return found.kept(treated=True)
"""
MATCHIT = """
run <- function() matchit(f, d, method = "nearest", distance = "glm", link = "linear.logit"{more})
check <- function(found) sum(found$weights[d$treated == 1] > 0)
"""
#: The score from a faster package than MatchIt's own, and given to it.
FAST_SCORE = """
library(fastglm)
score <- function() {
  x <- cbind(1, as.matrix(d[paste0("x", 0:19)]))
  drop(x %*% coef(fastglm(x, d$treated, family = binomial(), method = 2)))
}
"""
FAST_MATCHIT = f"""{FAST_SCORE}
run <- function() matchit(treated ~ 1, d, method = "nearest", distance = score(), caliper = 0.2)
check <- function(found) sum(found$weights[d$treated == 1] > 0)
"""
BY_AREA = f"""{FAST_SCORE}
run <- function() {{
  d$score <- score()
  width <- 0.2 * sd(d$score)
  lapply(split(d[c("treated", "score")], d$area), function(own) matchit(
    treated ~ 1, own, method = "nearest", distance = own$score, caliper = width,
    std.caliper = FALSE))
}}
check <- function(found) sum(sapply(found, function(one) sum(one$weights[one$treat == 1] > 0)))
"""
ESTIMATE = """
import tfeval as tf
def run():
    design = tf.weight(tf.study(frame, covariates=names){more})
    return tf.estimate(design, frame[["y"]], {how})
def check(found):
    return found.to_frame()["{number}"].iloc[0]
"""
BOOTSTRAP = """
import tfeval as tf
study = tf.study(frame, covariates=names, cluster="area")
design = {design}
def run():
    return tf.estimate(design, frame[["y"]], method="difference", errors="bootstrap", draws=200)
def check(found):
    return found.to_frame()["std_error"].iloc[0]
"""
OURS = "python tfeval"
#: For each work its lines.
WORK: dict[str, dict[str, tuple[str, str]]] = {
    "logistic propensity": {
        "tfeval": (
            OURS,
            """
import tfeval as tf
def run():
    return tf.fit_propensity(tf.study(frame, covariates=names))
def check(found):
    return found.score @ found.score
""",
        ),
        "scikit-learn newton-cholesky": (
            "python scikit-learn",
            """
from sklearn.linear_model import LogisticRegression
def run():
    model = LogisticRegression(C=float("inf"), solver="newton-cholesky", tol=1e-8)
    return model.fit(frame[names], frame["treated"]).predict_proba(frame[names])[:, 1]
def check(found):
    return found @ found
""",
        ),
        "statsmodels Logit": (
            "python statsmodels",
            """
import statsmodels.api as sm
def run():
    return sm.Logit(frame["treated"], sm.add_constant(frame[names])).fit(disp=0).predict()
def check(found):
    return found @ found
""",
        ),
    },
    "logistic propensity, 5 folds": {
        "tfeval": (
            OURS,
            """
import tfeval as tf
def run():
    return tf.fit_propensity(tf.study(frame, covariates=names), folds=5)
def check(found):
    return found.score @ found.score
""",
        ),
        "scikit-learn newton-cholesky": (
            "python scikit-learn",
            """
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
def run():
    model = LogisticRegression(C=float("inf"), solver="newton-cholesky", tol=1e-8)
    return cross_val_predict(model, frame[names], frame["treated"], cv=5,
                             method="predict_proba")[:, 1]
def check(found):
    return found @ found
""",
        ),
    },
    "nearest, caliper, no replacement": {
        "tfeval": (OURS, PAIRS.format(roles="", more="")),
        "MatchIt": ("R MatchIt", MATCHIT.format(more=", caliper = 0.2")),
        "MatchIt, scores from fastglm": ("R MatchIt", FAST_MATCHIT),
    },
    "nearest, with replacement": {
        "tfeval": (OURS, PAIRS.format(roles="", more=", replace=True, caliper=None")),
        "MatchIt": ("R MatchIt", MATCHIT.format(more=", replace = TRUE")),
    },
    "nearest within authority": {
        "tfeval": (OURS, PAIRS.format(roles=', strata="area"', more="")),
        "MatchIt, a loop by authority, scores from fastglm": ("R MatchIt", BY_AREA),
    },
    "inverse propensity weights with errors": {
        "tfeval": (OURS, ESTIMATE.format(more="", how='method="difference"', number="std_error")),
        "WeightIt + glm_weightit": (
            "R WeightIt",
            """
run <- function() {
  w <- weightit(f, d, method = "glm", estimand = "ATT")
  summary(glm_weightit(y ~ treated, d, weightit = w))
}
check <- function(found) coef(found)["treated", "Std. Error"]
""",
        ),
    },
    "entropy balancing": {
        "tfeval": (
            OURS,
            """
import tfeval as tf
def run():
    return tf.weight(tf.study(frame, covariates=names), "entropy")
def check(found):
    own = found.weights[~found.study.treated]
    return own.sum() ** 2 / (own @ own)
""",
        ),
        "empirical_calibration": (
            "python empirical_calibration",
            """
import empirical_calibration as ec
def run():
    arm = frame["treated"].to_numpy() == 1
    x = frame[names].to_numpy()
    return ec.calibrate(x[~arm], x[arm], objective=ec.Objective.ENTROPY)[0]
def check(found):
    return found.sum() ** 2 / (found @ found)
""",
        ),
    },
    "augmented weighting, ATT, 5 folds": {
        "tfeval": (OURS, ESTIMATE.format(
            more=", folds=5", how='method="doubly_robust", errors="robust"', number="estimate")),
        "statspai": (
            "python statspai",
            """
import statspai as sp
def run():
    return sp.aipw(frame, y="y", treat="treated", covariates=names, estimand="ATT", n_folds=5)
def check(found):
    return found.estimate
""",
        ),
    },
    "regression adjustment after matching, by authority": {
        "tfeval": (OURS, """
import tfeval as tf
def run():
    design = tf.match(tf.study(frame, covariates=names, cluster="area"))
    return tf.estimate(design, frame[["y"]])
def check(found):
    return found.to_frame()["std_error"].iloc[0]
"""),
    },
    "cluster bootstrap of weights, 200 refits": {
        "tfeval": (OURS, BOOTSTRAP.format(design="tf.weight(study)")),
    },
    "cluster bootstrap of matching, 200 refits": {
        "tfeval": (OURS, BOOTSTRAP.format(design="tf.match(study)")),
    },
}  # fmt: skip
#: From the start of a process to its pairs: a script of its own, timed from outside.
WHOLE = {
    "tfeval": (
        OURS,
        """
import sys
import tfeval as tf
names = [f"x{place}" for place in range(20)]
design = tf.match(tf.study(sys.argv[1] + ".parquet", covariates=names))
print(design.kept(treated=True))
""",
    ),
    "MatchIt": (
        "R MatchIt",
        """
suppressMessages({library(data.table); library(MatchIt)})
d <- as.data.frame(fread(paste0(commandArgs(TRUE)[1], ".csv"), nThread = 2))
found <- matchit(reformulate(paste0("x", 0:19), "treated"), d, method = "nearest",
                 distance = "glm", link = "linear.logit", caliper = 0.2)
cat(sum(found$weights[d$treated == 1] > 0), "\\n")
""",
    ),
}
