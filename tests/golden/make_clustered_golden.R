# Reference numbers from R on a simulated frame with clusters, strata, sampling weights and no ties.
# Run from anywhere:  Rscript make_clustered_golden.R
# Writes clustered_data.csv, clustered.csv, clustered_weights.csv.gz and clustered_pairs.csv beside itself. README.md says what is what.
# Part names (data, match, weight, other) after the script's name run only those and say how many rows came, without writing the goldens.
Sys.setenv(TZ = "UTC")
suppressPackageStartupMessages({
  library(MatchIt); library(WeightIt); library(cobalt); library(optmatch); library(sandwich); library(clubSandwich); library(survey) })
options(digits = 15, stringsAsFactors = FALSE)
here <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])))
gold <- function(f) file.path(here, f)
parts <- commandArgs(TRUE); want <- function(p) !length(parts) || p %in% parts
num <- function(x) ifelse(is.na(x), "NA", sprintf("%.12g", x))
wcsv <- function(d, f) {                    # compressed where the name says so
  to <- if (endsWith(f, ".gz")) gzfile(gold(f), "wb") else file(gold(f), "wb"); on.exit(close(to))
  write.csv(d, to, row.names = FALSE, quote = FALSE, eol = "\n") }
acc <- list(); W <- list(); P <- list()
add <- function(case, quantity, value) acc[[length(acc) + 1L]] <<- data.frame(case = case, quantity = quantity, value = num(as.numeric(value)))
reg <- function(case, lab, est, se) { add(case, paste0(lab, "_est"), est); add(case, paste0(lab, "_se"), se) }

## ------------------------------------------------------------------ the frame
simulate_frame <- function() {
  set.seed(20240611, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")
  n <- 1500; area <- sample(30, n, TRUE, prob = seq(1, 2.2, length.out = 30)); region <- (area - 1) %/% 6 + 1
  area2 <- sample(12, n, TRUE); ua <- rnorm(30, 0, 0.5); ub <- rnorm(12, 0, 0.4); va <- rnorm(30, 0, 0.8)
  group <- sample(c("a", "b", "c"), n, TRUE, prob = c(.5, .3, .2))
  x1 <- rnorm(n, 0.3 * ua[area], 1); x2 <- exp(rnorm(n, 0.1 * (group == "b"), 0.45)); x3 <- 0.4 * x1 + rnorm(n, 0, 2) + 5
  b1 <- rbinom(n, 1, plogis(-0.4 + 0.5 * x1))
  lp <- -1.75 + 0.45 * x1 + 0.35 * x2 + 0.06 * x3 + 0.35 * b1 + 0.3 * (group == "b") - 0.4 * (group == "c") + 0.6 * ua[area]
  treat <- rbinom(n, 1, plogis(lp - 0.15))
  sw <- 0.5 + 2.5 * plogis(rnorm(n, -0.6 + 0.4 * (group == "b") - 0.3 * x1, 0.9))
  y <- 12 + 1.5 * treat + 0.6 * treat * x1 + 1.8 * x1 + 1.1 * x2 + 0.3 * x3 + 0.02 * x3^2 - 0.9 * b1 + 0.7 * (group == "c") +
    1.6 * va[area] + 1.5 * ub[area2] + rnorm(n, 0, 3)
  yb <- rbinom(n, 1, plogis(-1.8 + 0.55 * treat + 0.5 * x1 + 0.25 * x2 - 0.3 * b1 + 0.5 * va[area]))
  data.frame(id = sprintf("u%04d", seq_len(n)), treat, x1 = sprintf("%.8f", x1), x2 = sprintf("%.8f", x2), x3 = sprintf("%.8f", x3), b1, group,
             area, area2, region, sw = sprintf("%.8f", sw), y = sprintf("%.8f", y), yb) }
wcsv(simulate_frame(), "clustered_data.csv")
d <- read.csv(gold("clustered_data.csv")); d$group <- factor(d$group); rownames(d) <- d$id
stopifnot(!anyDuplicated(d$x1), !anyDuplicated(d$x2), !anyDuplicated(d$x3), !anyDuplicated(d$sw), d$sw > 0.5, d$sw < 3,
          with(d, tapply(treat, area, function(t) length(unique(t)))) == 2, with(d, tapply(treat, region, mean)) < 0.5, !anyNA(d))
cat("treated", sum(d$treat), "mean yb", mean(d$yb), "areas", length(unique(d$area)), "\n"); print(with(d, tapply(treat, region, mean)))
COV <- "x1 + x2 + x3 + b1 + group"
f <- as.formula(paste("treat ~", COV)); n <- nrow(d); t <- d$treat

## ------------------------------------------------------------------ helpers
wsum <- function(case, w, lab = "w") for (g in 0:1) { x <- w[t == g]; s <- c("control", "treated")[g + 1]
  add(case, paste0(lab, "_n_", s, "_nonzero"), sum(x > 0)); add(case, paste0(lab, "_sum_", s), sum(x)); add(case, paste0(lab, "_sumsq_", s), sum(x^2))
  add(case, paste0(lab, "_ess_", s), sum(x)^2 / sum(x^2)); add(case, paste0(lab, "_max_", s), max(x)) }
bal <- function(case, obj, denom = "treated", ...) {
  b <- bal.tab(obj, s.d.denom = denom, binary = "std", continuous = "std", un = TRUE, stats = c("m", "v", "ks"), disp.means = TRUE, abs = FALSE, ...)$Balance
  for (v in rownames(b)) for (k in c("M.0.Un", "M.1.Un", "Diff.Un", "V.Ratio.Un", "KS.Un", "M.0.Adj", "M.1.Adj", "Diff.Adj", "V.Ratio.Adj", "KS.Adj"))
    if (!is.null(b[[k]]) && !is.na(b[v, k])) add(case, paste0("bal.", k, "[", v, "]"), b[v, k]) }
# the standard errors asked of every fit: name -> covariance matrix
vcovs <- function(fit, m, set = NULL) {
  cl <- function(...) vcovCL(fit, cluster = data.frame(...), type = "HC1")
  v <- list(hc1 = vcovHC(fit, "HC1"), area = cl(m$area), area_area2 = cl(m$area, m$area2))
  if (!is.null(set)) { set <- as.character(set); v$cl <- cl(set); v$area_set <- cl(m$area, set) }
  v }
put <- function(case, lab, est, grad, V) { if (!is.null(est)) add(case, paste0(lab, "_est"), est)
  for (k in names(V)) { s2 <- drop(crossprod(grad, V[[k]] %*% grad)); add(case, paste0(lab, "_", k, "_se"), if (s2 < 0) NA else sqrt(s2)) } }
unit <- function(fit, term) as.numeric(names(coef(fit)) == term)
cov_matrix <- function(m) model.matrix(as.formula(paste("~", COV)), m)[, -1]
# g-computation after a logistic model of yb: mean risk difference and log risk ratio over `target` rows with weights tw, delta method
logit_gcomp <- function(fit, m, target, tw) {
  X <- lapply(1:0, function(k) { z <- m[target, ]; z$treat <- k; model.matrix(as.formula(paste("~ treat * (", COV, ")")), z) })
  p <- lapply(X, function(x) plogis(drop(x %*% coef(fit)))); tw <- tw / sum(tw)
  mu <- sapply(p, function(q) sum(tw * q)); g <- mapply(function(x, q) colSums(tw * q * (1 - q) * x), X, p)
  list(rd = mu[1] - mu[2], rd_grad = g[, 1] - g[, 2], lnrr = log(mu[1] / mu[2]), lnrr_grad = g[, 1] / mu[1] - g[, 2] / mu[2]) }
OUT <- as.formula(paste("yb ~ treat * (", COV, ")"))
# m: rows used; w: total weights (matching or balancing x sampling); target, tw: rows and weights whose covariate mean is the estimand's
effects <- function(case, e, m, w, target = rep(TRUE, nrow(m)), tw = w[target], set = NULL) {
  m$.w <- w; X <- cov_matrix(m); mu <- colSums(X[target, ] * tw) / sum(tw); m$.Xc <- sweep(X, 2, mu)
  for (y in c("y", "yb")) { q <- paste0(if (y == "yb") "yb.", e)
    wm <- function(g) weighted.mean(m[[y]][m$treat == g], w[m$treat == g]); add(case, paste0(q, "_wdiff_est"), wm(1) - wm(0))
    fits <- list(lm = paste(y, "~ treat"), lmcov = paste(y, "~ treat +", COV), gcomp = paste(y, "~ treat * .Xc"))
    for (k in names(fits)) { fit <- lm(as.formula(fits[[k]], env = environment()), m, weights = .w)
      put(case, paste0(q, "_", k), coef(fit)[["treat"]], unit(fit, "treat"), vcovs(fit, m, set)) } }
  fit <- glm(OUT, quasibinomial, m, weights = .w, control = list(epsilon = 1e-13, maxit = 100)); V <- vcovs(fit, m, set)
  g <- logit_gcomp(fit, m, target, tw)
  put(case, paste0("yb.", e, "_logitgcomp"), g$rd, g$rd_grad, V); put(case, paste0("yb.", e, "_logitgcomp_lnrr"), g$lnrr, g$lnrr_grad, V)
  if (requireNamespace("marginaleffects", quietly = TRUE)) {            # the same by an independent package, which differentiates numerically
    mm <- m[, c("yb", "treat", "x1", "x2", "x3", "b1", "group", ".w")]; names(mm)[7] <- "grp"     # it forbids the name group
    fit2 <- glm(yb ~ treat * (x1 + x2 + x3 + b1 + grp), quasibinomial, mm, weights = .w, control = list(epsilon = 1e-13, maxit = 100)); nd <- mm[target, ]; nd$.tw <- tw
    for (k in c("hc1", "area")) { v <- V[[k]]; dimnames(v) <- list(names(coef(fit2)), names(coef(fit2)))
      for (cmp in c("rd", "lnrr")) { r <- marginaleffects::avg_comparisons(fit2, variables = "treat", newdata = nd, wts = ".tw", vcov = v, comparison = c(rd = "differenceavg", lnrr = "lnratioavg")[[cmp]])
        gr <- g[[paste0(cmp, "_grad")]]; stopifnot(abs(r$estimate - g[[cmp]]) < 1e-8, abs(r$std.error / sqrt(drop(gr %*% v %*% gr)) - 1) < 1e-4); n_checked <<- n_checked + 1 } } } }
n_checked <- 0
keep <- function(case, w, subclass = NULL, distance = NULL) W[[case]] <<- data.frame(case = case, id = d$id, weight = num(w),
  subclass = if (is.null(subclass)) NA else as.integer(subclass), distance = if (is.null(distance)) NA else num(distance))

## ------------------------------------------------------------------ matching
CUT <- list(x1 = c(-1, 0, 1), x2 = c(0.8, 1.2, 1.8), x3 = c(3.5, 5, 6.5), b1 = 0)     # b1 = 0: left as it is
nn <- function(...) list(method = "nearest", ...)
specs <- list(
  nn_1to1 = nn(), nn_cal = nn(caliper = 0.2),
  nn_cal_x1_std = nn(caliper = c(0.2, x1 = 0.25)), nn_cal_x1_raw = nn(caliper = c(0.2, x1 = 0.3), std.caliper = c(TRUE, FALSE)),
  nn_ratio2 = nn(ratio = 2), nn_ratio2_cal = nn(ratio = 2, caliper = 0.1), nn_repl = nn(replace = TRUE), nn_repl_k3 = nn(replace = TRUE, ratio = 3), nn_repl_cal = nn(replace = TRUE, caliper = 0.05),
  nn_exact_region = nn(exact = ~region), nn_exact_region_cal = nn(exact = ~region, caliper = 0.1), nn_repl_exact_region = nn(exact = ~region, replace = TRUE),
  nn_order_largest = nn(m.order = "largest"), nn_order_smallest = nn(m.order = "smallest"), nn_order_closest = nn(m.order = "closest"), nn_order_data = nn(m.order = "data"),
  nn_linlogit = nn(link = "linear.logit"), nn_linlogit_cal = nn(link = "linear.logit", caliper = 0.2),
  nn_mahalanobis = nn(distance = "mahalanobis"), nn_mahalanobis_repl = nn(distance = "mahalanobis", replace = TRUE),
  nn_mahvars_cal = nn(mahvars = ~ x1 + x2 + x3, caliper = 0.2), nn_mahvars_cal_repl = nn(mahvars = ~ x1 + x2 + x3, caliper = 0.2, replace = TRUE),
  nn_sw = nn(s.weights = ~sw), nn_cal_sw = nn(caliper = 0.2, s.weights = ~sw), nn_repl_sw = nn(replace = TRUE, s.weights = ~sw), nn_mahalanobis_sw = nn(distance = "mahalanobis", s.weights = ~sw),
  nn_discard_both = nn(discard = "both"), nn_atc_repl = nn(estimand = "ATC", replace = TRUE),
  optimal_tight = list(method = "optimal", tol = 1e-7), optimal_ratio2_tight = list(method = "optimal", ratio = 2, tol = 1e-7),
  optimal_mahalanobis_tight = list(method = "optimal", distance = "mahalanobis", tol = 1e-7),
  full_tight = list(method = "full", tol = 1e-7), full_exact_region_tight = list(method = "full", exact = ~region, tol = 1e-7),
  full_mahalanobis_tight = list(method = "full", distance = "mahalanobis", tol = 1e-7), full_sw_tight = list(method = "full", s.weights = ~sw, tol = 1e-7),
  full_discard_both_tight = list(method = "full", discard = "both", tol = 1e-7), full_ate_tight = list(method = "full", estimand = "ATE", tol = 1e-7),
  cem = list(method = "cem", cutpoints = CUT, k2k = FALSE), cem_ate = list(method = "cem", cutpoints = CUT, k2k = FALSE, estimand = "ATE"),
  subclass6 = list(method = "subclass", subclass = 6), subclass6_ate = list(method = "subclass", subclass = 6, estimand = "ATE"),
  subclass6_sw = list(method = "subclass", subclass = 6, s.weights = ~sw))
matching_case <- function(nm) {
  case <- paste0("clustered_", nm); sp <- specs[[nm]]; e <- tolower(if (is.null(sp$estimand)) "ATT" else sp$estimand); sw <- if (is.null(sp$s.weights)) rep(1, n) else d$sw
  t0 <- proc.time()[3]; m <- do.call(matchit, c(list(f, data = d), sp)); w <- m$weights
  keep(case, w, m$subclass, m$distance)
  add(case, "n_matched_treated", sum(w[t == 1] > 0)); add(case, "n_matched_control", sum(w[t == 0] > 0)); wsum(case, w)
  if (!is.null(sp$s.weights)) wsum(case, w * sw, "wsw")
  if (!is.null(sp$discard)) { add(case, "n_discarded_treated", sum(m$discarded[t == 1])); add(case, "n_discarded_control", sum(m$discarded[t == 0])) }
  for (i in seq_along(m$caliper)) { v <- names(m$caliper)[i]; add(case, paste0("caliper_value", if (length(v) && nzchar(v)) paste0("[", v, "]")), m$caliper[[i]]) }
  # distances between members of a set, on the scale matched on
  swd <- if (is.null(sp$s.weights)) NULL else d$sw
  D <- if (identical(sp$distance, "mahalanobis")) mahalanobis_dist(f, d, s.weights = swd) else if (!is.null(sp$mahvars)) mahalanobis_dist(treat ~ x1 + x2 + x3, d) else
    outer(m$distance[t == 1], m$distance[t == 0], function(a, b) abs(a - b))
  if (length(D)) dimnames(D) <- list(d$id[t == 1], d$id[t == 0])
  if (!is.null(sp$mahvars) || identical(sp$distance, "mahalanobis")) { add(case, "dist_sum_all_pairs", sum(D)); add(case, "dist_first_treated_first_control", D[1, 1]) }
  mm <- m$match.matrix
  if (!is.null(mm) && sp$method %in% c("nearest", "optimal")) {
    p <- do.call(rbind, lapply(seq_len(ncol(mm)), function(j) data.frame(case = case, treated_id = rownames(mm), k = j, control_id = mm[, j])))
    p <- p[!is.na(p$control_id), ]; p <- p[order(match(p$treated_id, d$id), p$k), ]
    k <- cbind(p$treated_id, p$control_id); if (e == "atc") k <- k[, 2:1]
    add(case, "n_pairs", nrow(p)); add(case, "sum_pair_distance", sum(D[k])); add(case, "max_pair_distance", max(D[k])); P[[case]] <<- p }
  if (sp$method == "full") { tot <- 0
    for (s in split(seq_len(n), m$subclass)) tot <- tot + sum(D[d$id[s][t[s] == 1], d$id[s][t[s] == 0]])
    add(case, "sum_pair_distance", tot) }
  if (!is.null(m$subclass)) add(case, "n_subclasses", length(unique(na.omit(m$subclass))))
  if (sp$method == "subclass") { q <- m$q.cut; if (!is.null(q)) for (i in seq_along(q)) add(case, paste0("q_cut[", i, "]"), q[i])
    for (s in levels(m$subclass)) for (g in 0:1) add(case, paste0("n_", c("control", "treated")[g + 1], "[", s, "]"), sum(m$subclass == s & t == g, na.rm = TRUE)) }
  dn <- c(att = "treated", atc = "control", ate = "pooled")[[e]]
  if (sp$method == "subclass") bal(case, f, dn, data = d, weights = w, s.weights = swd, method = "weighting") else bal(case, m, dn)
  md <- d[w > 0, ]; ws <- (w * sw)[w > 0]; st <- if (is.null(m$subclass)) NULL else m$subclass[w > 0]
  target <- switch(e, att = md$treat == 1, atc = md$treat == 0, ate = rep(TRUE, nrow(md)))
  effects(case, e, md, ws, target, set = st)
  x <- match_data(m); stopifnot(all.equal(setNames(x$weights, NULL), setNames(ws, NULL)), identical(rownames(x), rownames(md)))
  if (isTRUE(sp$replace)) {                                               # one row per member of each matched set
    gm <- get_matches(m, id = "unit"); gm$.w <- gm$weights
    for (y in c("y", "yb")) for (k in c("lm", "lmcov")) { fit <- lm(as.formula(paste(y, "~ treat", if (k == "lmcov") paste("+", COV))), gm, weights = .w)
      V <- list(cl = vcovCL(fit, cluster = gm$subclass, type = "HC1"), unit = vcovCL(fit, cluster = gm$unit, type = "HC1"), cl2 = vcovCL(fit, cluster = gm[, c("subclass", "unit")], type = "HC1"),
                area = vcovCL(fit, cluster = gm$area, type = "HC1"), area_set = vcovCL(fit, cluster = gm[, c("area", "subclass")], type = "HC1"))
      put(case, paste0(if (y == "yb") "yb.", e, "_sets_", k), coef(fit)[["treat"]], unit(fit, "treat"), V) } }
  cat(sprintf("%-28s %4d treated %5d control  %.1fs\n", nm, sum(w[t == 1] > 0), sum(w[t == 0] > 0), proc.time()[3] - t0)) }
if (want("match")) for (nm in names(specs)) matching_case(nm)

## ------------------------------------------------------------------ weighting
# entropy balancing by Newton to machine precision: the sampling weights are both the base weights and the weights of the target
ebal_exact <- function(X, target, base) {
  Z <- sweep(sweep(X, 2, target), 2, apply(X, 2, sd), "/"); l <- rep(0, ncol(Z))
  obj <- function(l) { u <- drop(Z %*% l); m <- max(u); m + log(sum(base * exp(u - m))) }
  for (it in 1:200) { u <- drop(Z %*% l); w <- base * exp(u - max(u)); w <- w / sum(w); g <- colSums(w * Z)
    if (max(abs(g)) < 1e-13) break
    st <- solve(crossprod(Z * sqrt(w)) - tcrossprod(g), g); a <- 1
    while (obj(l - a * st) > obj(l) + 1e-13 && a > 1e-8) a <- a / 2
    l <- l - a * st }
  stopifnot(max(abs(g)) < 1e-10); w }
weighting_case <- function(kind, samp) {
  e <- sub(".*_", "", kind); case <- paste0("clustered_", kind, if (samp) "_sw"); sw <- if (samp) d$sw else rep(1, n)
  a <- list(f, data = d, method = if (kind == "ebal_att") "ebal" else "glm", estimand = toupper(e)); if (samp) a$s.weights <- d$sw
  if (kind == "ebal_att") { a$reltol <- 1e-14; a$maxit <- 1e5 }
  wt <- do.call(weightit, a); w <- wt$weights; keep(case, w, NULL, wt$ps); wsum(case, w); if (samp) wsum(case, w * sw, "wsw")
  bal(case, wt, c(att = "treated", atc = "control", ate = "pooled", ato = "pooled")[[e]])
  target <- switch(e, att = t == 1, atc = t == 0, rep(TRUE, n)); tw <- (if (e == "ato") w * sw else sw)[target]
  effects(case, e, d, w * sw, target, tw)
  X <- cov_matrix(d); d2 <- d; Xc <- sweep(X, 2, colSums(X[target, ] * tw) / sum(tw)); colnames(Xc) <- paste0("z", seq_len(ncol(Xc))); d2 <- cbind(d2, Xc)
  fits <- c(lm = "~ treat", lmcov = paste("~ treat +", COV), gcomp = paste("~ treat * (", paste(colnames(Xc), collapse = " + "), ")"))
  clusters <- list(NULL, area = d["area"], area_area2 = d[c("area", "area2")])
  mest <- function(fm, logit = FALSE) { V <- list()
    for (k in list(c("mest", "asympt"), c("hc0", "HC0"))) for (i in seq_along(clusters)) { cl <- clusters[[i]]; vt <- k[2]
      fit <- if (logit) glm_weightit(fm, data = d2, weightit = wt, family = binomial, vcov = vt, cluster = cl) else lm_weightit(fm, data = d2, weightit = wt, vcov = vt, cluster = cl)
      V[[paste0(k[1], c("", "_area", "_area_area2")[i])]] <- vcov(fit) }
    list(fit = fit, V = V) }
  for (y in c("y", "yb")) for (k in names(fits)) { r <- mest(as.formula(paste(y, fits[[k]]))); q <- paste0(if (y == "yb") "yb.", e, "_", k, "_wi")
    put(case, q, coef(r$fit)[["treat"]], unit(r$fit, "treat"), r$V) }
  r <- mest(OUT, TRUE); g <- logit_gcomp(r$fit, d, target, tw)
  put(case, paste0("yb.", e, "_logitgcomp_wi"), g$rd, g$rd_grad, r$V); put(case, paste0("yb.", e, "_logitgcomp_lnrr_wi"), g$lnrr, g$lnrr_grad, r$V)
  if (kind == "ebal_att") { c0 <- t == 0; x <- ebal_exact(X[c0, ], colSums(X[t == 1, ] * sw[t == 1]) / sum(sw[t == 1]), sw[c0]); cx <- paste0(case, "_exact")
    add(cx, "wsw_ess_control", 1 / sum(x^2)); add(cx, "wsw_max_control_sum1", max(x)); add(cx, "max_abs_gap_to_weightit_sum1", max(abs(x - (w * sw)[c0] / sum((w * sw)[c0]))))
    for (y in c("y", "yb")) add(cx, paste0(if (y == "yb") "yb.", "att_wdiff_est"), weighted.mean(d[[y]][t == 1], sw[t == 1]) - sum(x * d[[y]][c0])) }
  cat(case, "\n") }
if (want("weight")) for (k in c("ipw_att", "ipw_ate", "ipw_atc", "ipw_ato", "ebal_att")) for (s in c(FALSE, TRUE)) weighting_case(k, s)

## ------------------------------------------------------------------ propensity model, unadjusted, Matching, AIPW, CR2, wild bootstrap
pscore <- function(w) { z <- d; z$.w <- w; fitted(glm(f, quasibinomial, z, weights = .w, control = list(epsilon = 1e-14, maxit = 200))) }
if (want("other")) {
  for (samp in c(FALSE, TRUE)) { sw <- if (samp) d$sw else rep(1, n); s <- if (samp) "_sw" else ""; d$.sw <- sw
    ps <- glm(f, quasibinomial, d, weights = .sw, control = list(epsilon = 1e-14, maxit = 200)); case <- paste0("clustered_ps_logit", s)
    for (v in names(coef(ps))) add(case, paste0("coef[", v, "]"), coef(ps)[[v]])
    add(case, "deviance", deviance(ps)); add(case, "ps_sum_treated", sum(fitted(ps)[t == 1])); add(case, "ps_sd_all", sd(fitted(ps))); add(case, "linear_predictor_sd_all", sd(ps$linear.predictors))
    case <- paste0("clustered_unadjusted", s); effects(case, "ate", d, sw)
    for (y in c("y", "yb")) for (k in c("lm", "lmcov")) { fit <- lm(as.formula(paste(y, "~ treat", if (k == "lmcov") paste("+", COV))), d, weights = .sw); q <- paste0(if (y == "yb") "yb.", "ate_", k)
      for (g in c("area", "area2")) { ct <- coef_test(fit, vcov = "CR2", cluster = d[[g]], coefs = "treat"); add(case, paste0(q, "_", g, "_cr2_se"), ct$SE); add(case, paste0(q, "_", g, "_cr2_df"), ct$df_Satt) }
      put(case, q, NULL, unit(fit, "treat"), list(iid = vcov(fit), hc0 = vcovHC(fit, "HC0"), hc2 = vcovHC(fit, "HC2"), hc3 = vcovHC(fit, "HC3"), area2 = vcovCL(fit, cluster = d$area2, type = "HC1"),
        area_hc0_cadjust = vcovCL(fit, cluster = d$area, type = "HC0"), area_hc0_plain = vcovCL(fit, cluster = d$area, type = "HC0", cadjust = FALSE)))
      sv <- svyglm(formula(fit), svydesign(~area, weights = ~.sw, data = d)); put(case, paste0(q, "_svyglm"), coef(sv)[["treat"]], unit(sv, "treat"), list(area = vcov(sv)))
      # wild cluster bootstrap, null imposed, all 2^12 Rademacher draws over area2, for no effect and for a value nearer the estimate
      X <- model.matrix(fit) * sqrt(sw); j <- which(colnames(X) == "treat"); A <- solve(crossprod(X)); b1 <- coef(fit)[["treat"]]
      H <- lapply(split(seq_len(n), d$area2), function(i) crossprod(X[i, ])); G <- as.matrix(expand.grid(rep(list(c(1, -1)), 12)))
      for (null in list(c("zero", 0), c("near", signif(b1 - 1.6 * sqrt(vcovCL(fit, cluster = d$area2, type = "HC1")["treat", "treat"]), 2)))) { r <- as.numeric(null[2])
        u0 <- qr.resid(qr(X[, -j, drop = FALSE]), (d[[y]] - r * t) * sqrt(sw)); S <- rowsum(X * u0, d$area2)
        tstat <- function(v) { b <- drop(A %*% colSums(S * v))            # y* less the fit under the null is v * u0, and that fit has 0 on treat
          sc <- t(sapply(seq_along(H), function(i) S[i, ] * v[i] - drop(H[[i]] %*% b))); b[j] / sqrt(drop(A[j, ] %*% crossprod(sc) %*% A[, j])) }
        ts <- abs(apply(G, 1, tstat)); t1 <- ts[1]; lab <- paste0(q, "_area2_wild_", null[1])
        stopifnot(abs(t1 / abs((b1 - r) / sqrt(vcovCL(fit, cluster = d$area2, type = "HC0", cadjust = FALSE)["treat", "treat"])) - 1) < 1e-9)
        add(case, paste0(lab, "_null"), r); add(case, paste0(lab, "_t"), t1)
        add(case, paste0(lab, "_p_strict"), mean(ts > t1 * (1 + 1e-10))); add(case, paste0(lab, "_p_weak"), mean(ts >= t1 * (1 - 1e-10))) } } }
  d$.sw <- NULL
  # Matching: Abadie-Imbens
  p <- pscore(rep(1, n)); xs <- as.matrix(d[, c("x1", "x2", "x3")])
  sets <- list(ps = list(X = p, Weight = 1), maha = list(X = xs, Weight = 2), invvar = list(X = xs, Weight = 1))
  for (k in names(sets)) for (M in c(1, 3)) for (ba in c(FALSE, TRUE)) for (y in c("y", "yb")) { case <- paste0("clustered_Matching_", k, "_M", M, if (ba) "_biasadj"); q <- if (y == "yb") "yb." else ""
    run <- function(...) Matching::Match(Y = d[[y]], Tr = t, X = sets[[k]]$X, Weight = sets[[k]]$Weight, estimand = "ATT", M = M, BiasAdjust = ba, replace = TRUE, ties = TRUE, distance.tolerance = 0, ...)
    r <- run(); add(case, paste0(q, "att_est"), r$est); add(case, paste0(q, "att_est_noadj"), r$est.noadj); add(case, paste0(q, "att_se_ai"), r$se)
    add(case, paste0(q, "att_se_standard"), r$se.standard)
    add(case, paste0(q, "att_se_ai_sample"), run(sample = TRUE)$se); for (v in c(1, 4)) add(case, paste0(q, "att_se_ai_vc", v), run(Var.calc = v)$se)
    if (y == "y" && !ba) { add(case, "n_pairs", length(r$index.treated)); cid <- r$index.control
      P[[case]] <- data.frame(case = case, treated_id = d$id[r$index.treated], k = ave(seq_along(cid), r$index.treated, FUN = seq_along), control_id = d$id[cid]) } }
  # AIPW, no cross-fitting. Influence functions take the two models as known.
  for (samp in c(FALSE, TRUE)) for (y in c("y", "yb")) { sw <- if (samp) d$sw else rep(1, n); d$.sw <- sw; p <- pscore(sw); o <- p / (1 - p); yy <- d[[y]]; q <- if (y == "yb") "yb." else ""
    for (mod in if (y == "yb") c("lm", "logit") else "lm") { case <- paste0("clustered_aipw_", mod, if (samp) "_sw")
      fm <- as.formula(paste(y, "~", COV)); md <- lapply(0:1, function(k) { z <- d[t == k, ]
        r <- if (mod == "lm") lm(fm, z, weights = .sw) else glm(fm, quasibinomial, z, weights = .sw, control = list(epsilon = 1e-13, maxit = 100)); predict(r, d, type = "response") })
      r0 <- yy - md[[1]]; r1 <- yy - md[[2]]; out <- function(lab, est, IF) { S <- rowsum(IF, d$area); G <- nrow(S); add(case, paste0(q, lab, "_est"), est)
        add(case, paste0(q, lab, "_if_se"), sqrt(sum(IF^2)) / n); add(case, paste0(q, lab, "_if_area_se"), sqrt(sum(S^2)) / n); add(case, paste0(q, lab, "_if_area_adj_se"), sqrt(sum(S^2) * G / (G - 1)) / n) }
      n1 <- sum(sw * t); tau <- (sum(sw * t * r0) - sum(sw * (1 - t) * o * r0)) / n1
      out("att", tau, sw * (t * (r0 - tau) - (1 - t) * o * r0) / (n1 / n))
      k1 <- weighted.mean(r0[t == 1], sw[t == 1]); wc <- sw * (1 - t) * o; k0 <- sum(wc * r0) / sum(wc)
      out("att_hajek", k1 - k0, sw * t * (r0 - k1) / (n1 / n) - wc * (r0 - k0) / (sum(wc) / n))
      psi <- md[[2]] - md[[1]] + t * r1 / p - (1 - t) * r0 / (1 - p); tau <- sum(sw * psi) / sum(sw)
      out("ate", tau, sw * (psi - tau) / mean(sw)) } }
}
z <- do.call(rbind, acc); stopifnot(!anyDuplicated(z[, 1:2]), !grepl("[,\"]", z$case), !grepl("[,\"]", z$quantity)); cat(nrow(z), "rows,", length(unique(z$case)), "cases;", n_checked, "delta-method numbers checked with marginaleffects\n")
if (!length(parts)) { wcsv(z, "clustered.csv"); wcsv(do.call(rbind, W), "clustered_weights.csv.gz"); wcsv(do.call(rbind, P), "clustered_pairs.csv") }
