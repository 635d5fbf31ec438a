# Reference numbers from R on the NSW experiment with the CPS-1 comparison group. Run from anywhere:  Rscript make_nsw_cps_golden.R
# Reads nsw_cps.csv.gz; writes nsw_cps.csv and nsw_cps_pairs.csv beside itself. README.md says what is what.
suppressPackageStartupMessages({ library(MatchIt); library(WeightIt); library(cobalt); library(sandwich) })
options(digits = 15, stringsAsFactors = FALSE)
here <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])))
gold <- function(f) file.path(here, f)
num <- function(x) ifelse(is.na(x), "NA", sprintf("%.12g", x))
acc <- list(); P <- list()
add <- function(case, quantity, value) acc[[length(acc) + 1L]] <<- data.frame(case = case, quantity = quantity, value = num(as.numeric(value)))
a <- read.csv(gold("nsw_cps.csv.gz")); a$row <- seq_len(nrow(a)); rownames(a) <- a$row
f <- treat ~ age + I(age^2) + educ + black + hisp + marr + nodegree + re74 + re75 + I(re74 == 0) + I(re75 == 0)
rhs <- "age + I(age^2) + educ + black + hisp + marr + nodegree + re74 + re75 + I(re74 == 0) + I(re75 == 0)"
fits <- list(lm = re78 ~ treat, lmcov = as.formula(paste("re78 ~ treat +", rhs)))
put <- function(case, lab, fit, V) { add(case, paste0(lab, "_est"), coef(fit)[["treat"]]); for (k in names(V)) add(case, paste0(lab, "_", k, "_se"), sqrt(V[[k]]["treat", "treat"])) }
bal <- function(case, obj) { b <- bal.tab(obj, s.d.denom = "treated", binary = "std", continuous = "std", un = TRUE, stats = c("m", "v", "ks"), disp.means = TRUE, abs = FALSE)$Balance
  for (v in rownames(b)) for (k in c("M.0.Un", "M.1.Un", "Diff.Un", "V.Ratio.Un", "KS.Un", "M.0.Adj", "M.1.Adj", "Diff.Adj", "V.Ratio.Adj", "KS.Adj")) if (!is.na(b[v, k])) add(case, paste0("bal.", k, "[", v, "]"), b[v, k]) }
# the experiment, and the treated against all of CPS, before any adjustment
nsw <- a[a$sample == "nsw", ]; d <- a[a$treat == 1 | a$sample == "cps", ]; t <- d$treat
for (s in list(list("nsw_experiment", nsw), list("nsw_cps_unadjusted", d))) for (k in names(fits)) { fit <- lm(fits[[k]], s[[2]]); put(s[[1]], k, fit, list(iid = vcov(fit), hc1 = vcovHC(fit, "HC1"), hc2 = vcovHC(fit, "HC2"))) }
ps <- glm(f, binomial, d); for (v in names(coef(ps))) add("nsw_cps_ps_logit", paste0("coef[", v, "]"), coef(ps)[[v]])
add("nsw_cps_ps_logit", "deviance", deviance(ps)); add("nsw_cps_ps_logit", "ps_sum_treated", sum(fitted(ps)[t == 1])); add("nsw_cps_ps_logit", "ps_sd_all", sd(fitted(ps))); add("nsw_cps_ps_logit", "linear_predictor_sd_all", sd(ps$linear.predictors))
add("nsw_cps_ps_logit", "n_unique_ps_treated", length(unique(round(fitted(ps)[t == 1], 12)))); add("nsw_cps_ps_logit", "n_unique_ps_control", length(unique(round(fitted(ps)[t == 0], 12))))
specs <- list(nn_cal = list(caliper = 0.2), nn_repl_cal = list(caliper = 0.2, replace = TRUE), nn_linlogit_cal = list(link = "linear.logit", caliper = 0.2), nn_linlogit_repl_cal = list(link = "linear.logit", caliper = 0.2, replace = TRUE))
for (nm in names(specs)) { case <- paste0("nsw_cps_", nm); m <- do.call(matchit, c(list(f, data = d, method = "nearest", estimand = "ATT"), specs[[nm]])); w <- m$weights
  add(case, "n_matched_treated", sum(w[t == 1] > 0)); add(case, "n_matched_control", sum(w[t == 0] > 0)); add(case, "caliper_value", m$caliper[[1]]); add(case, "w_ess_control", sum(w[t == 0])^2 / sum(w[t == 0]^2)); bal(case, m)
  dd <- setNames(m$distance, rownames(d)); mm <- m$match.matrix; p <- data.frame(case = case, treated_id = rownames(mm), k = 1, control_id = mm[, 1]); p <- p[!is.na(p$control_id), ]; P[[nm]] <- p
  add(case, "sum_pair_distance", sum(abs(dd[p$treated_id] - dd[p$control_id])))
  md <- match_data(m); for (k in names(fits)) { fit <- lm(fits[[k]], md, weights = weights); V <- list(hc1 = vcovHC(fit, "HC1")); if (!is.null(md$subclass)) V$cl <- vcovCL(fit, cluster = as.character(md$subclass), type = "HC1"); put(case, paste0("att_", k), fit, V) }
  if (isTRUE(specs[[nm]]$replace)) {
    gm <- get_matches(m, id = "unit"); for (k in names(fits)) { fit <- lm(fits[[k]], gm, weights = weights); put(case, paste0("att_sets_", k), fit, list(cl = vcovCL(fit, cluster = as.character(gm$subclass), type = "HC1"), cl2 = vcovCL(fit, cluster = gm[, c("subclass", "unit")], type = "HC1"))) }
    dc <- dd[t == 0]; yc <- d$re78[t == 0]; z <- NULL                    # all nearest controls averaged; lo and hi over every way to break ties
    for (i in which(t == 1)) { g <- abs(dc - dd[i]); if (min(g) > m$caliper[[1]]) next; k <- g - min(g) < 1e-9 * sd(dd); z <- rbind(z, c(d$re78[i], mean(yc[k]), min(yc[k]), max(yc[k]), sum(k) > 1)) }
    add(case, "att_tieavg_est", mean(z[, 1] - z[, 2])); add(case, "att_tiebreak_lo", mean(z[, 1] - z[, 4])); add(case, "att_tiebreak_hi", mean(z[, 1] - z[, 3])); add(case, "n_treated_with_tied_nearest", sum(z[, 5])) } }
for (k in c("ipw_att", "ebal_att")) { case <- paste0("nsw_cps_", k)
  wt <- if (k == "ebal_att") weightit(f, d, method = "ebal", estimand = "ATT", reltol = 1e-14, maxit = 1e5) else weightit(f, d, method = "glm", estimand = "ATT"); w <- wt$weights
  add(case, "w_sum_control", sum(w[t == 0])); add(case, "w_ess_control", sum(w[t == 0])^2 / sum(w[t == 0]^2)); add(case, "w_max_control", max(w[t == 0])); bal(case, wt)
  g <- lm_weightit(re78 ~ treat, data = d, weightit = wt); put(case, "att_lm_wi", g, list(mest = vcov(g), hc0 = vcov(lm_weightit(re78 ~ treat, data = d, weightit = wt, vcov = "HC0")))) }
p <- fitted(glm(f, binomial, d, control = list(epsilon = 1e-14, maxit = 100)))
# Matching never takes squared standardised distances closer than about 1e-10 as different, whatever distance.tolerance; att_tieavg averages only equal scores
for (M in c(1, 4)) { r <- Matching::Match(Y = d$re78, Tr = t, X = p, estimand = "ATT", M = M, replace = TRUE, ties = TRUE, distance.tolerance = 0); case <- paste0("nsw_cps_Matching_ps_M", M)
  add(case, "att_est", r$est); add(case, "att_se_ai", r$se); add(case, "att_se_standard", r$se.standard); add(case, "n_pairs", length(r$index.treated))
  if (M == 1) { k <- 0; e <- sapply(which(t == 1), function(i) { g <- abs(p[t == 0] - p[i]); h <- g - min(g) < 1e-12; k <<- k + sum(h); d$re78[i] - mean(d$re78[t == 0][h]) })
    add(case, "att_tieavg_est", mean(e)); add(case, "n_pairs_tieavg", k) } }
z <- do.call(rbind, acc); stopifnot(!anyDuplicated(z[, 1:2]), !grepl("[,\"]", z$quantity))
write.csv(z, gold("nsw_cps.csv"), row.names = FALSE, quote = FALSE, eol = "\n"); write.csv(do.call(rbind, P), gold("nsw_cps_pairs.csv"), row.names = FALSE, quote = FALSE, eol = "\n"); cat(nrow(z), "rows\n")
