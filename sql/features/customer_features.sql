-- The features of each customer known by :snapshot_date, one row a customer: the six groups of
-- that day side by side.
SELECT
  demographics.customer_id,
  demographics.snapshot_date,
  demographics.age,
  demographics.gender,
  demographics.location,
  demographics.account_type,
  demographics.tenure_days,
  engagement.logins_month,
  engagement.active_days_month,
  engagement.days_since_last_login,
  engagement.session_duration_avg_minutes,
  engagement.session_minutes_month,
  engagement.messages_sent_month,
  engagement.messages_received_month,
  engagement.posts_month,
  engagement.content_views_month,
  engagement.events_joined_month,
  engagement.notification_open_rate_month,
  engagement.premium_features_used_count,
  social.connection_count,
  social.new_connections_month,
  social.reactions_given_month,
  social.reactions_received_month,
  social.comments_written_month,
  social.comments_received_month,
  social.influence_score,
  social.betweenness_centrality,
  transactions.transaction_revenue_month,
  transactions.transaction_count_month,
  transactions.revenue_to_date_usd,
  transactions.gig_listings_month,
  transactions.gig_applications_month,
  transactions.job_rating_avg,
  behaviour.primary_device,
  behaviour.primary_time_of_day,
  behaviour.scroll_depth_avg,
  behaviour.click_rate,
  behaviour.bounce_rate,
  behaviour.weekend_session_share,
  behaviour.night_session_share,
  behaviour.device_count,
  behaviour.pages_per_session,
  derived.avg_sentiment_score,
  derived.network_centrality,
  derived.content_diversity_score,
  derived.session_consistency_score,
  derived.last_7_day_engagement_trend,
  derived.trust_score,
  derived.response_time_avg_hours,
  derived.peak_activity_hour,
  derived.referral_count
FROM features.demographics AS demographics
LEFT JOIN features.engagement AS engagement
  ON engagement.customer_id = demographics.customer_id AND engagement.day = :snapshot_date
LEFT JOIN features.social AS social
  ON social.customer_id = demographics.customer_id AND social.day = :snapshot_date
LEFT JOIN features.transactions AS transactions
  ON transactions.customer_id = demographics.customer_id AND transactions.day = :snapshot_date
LEFT JOIN features.behaviour AS behaviour
  ON behaviour.customer_id = demographics.customer_id AND behaviour.day = :snapshot_date
LEFT JOIN features.derived AS derived
  ON derived.customer_id = demographics.customer_id AND derived.day = :snapshot_date
WHERE demographics.day = :snapshot_date
ORDER BY demographics.customer_id
